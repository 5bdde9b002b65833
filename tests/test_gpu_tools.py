"""``tools/gpu.sh`` without a GPU: its parts measure; what fails is one line beside the others."""

import json
import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest
import torch

from ser.base.errors import SerError

TOOLS = Path(__file__).parents[1] / "tools"
pytestmark = pytest.mark.long


@pytest.mark.parametrize(
    ("part", "figure"),
    [
        ("ceiling", "TFLOP/s, bfloat16 product of 128"),
        ("pretraining", "hours of speech an hour, bfloat16"),
        ("loader", "hours of speech an hour, 1 processes"),
        pytest.param(
            "finetuning", "runs an hour, transformer_tl_mtl, 1 side by side", marks=pytest.mark.slow
        ),
    ],
)
def test_a_part_measures(part: str, figure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.gpu import PARTS
    from benchmarks.gpu_training import SIZES

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TOOLS), str(TOOLS.parent)]))
    figures: dict[str, float] = {}
    PARTS[part](torch.device("cpu"), SIZES["cpu"], figures.__setitem__)
    assert figures[figure] > 0
    assert all(value > 0 for value in figures.values())


def test_what_fails_is_one_line_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import gpu

    monkeypatch.setitem(gpu.LIMITS, "loader", 0.1)
    parts = ["loader", "mini", "ceiling"]
    measured = gpu.measure(Namespace(cpu=True, out=tmp_path, parts=parts))
    assert measured == json.loads((tmp_path / "gpu.json").read_text())
    failed = {part: entry.get("failed", "") for part, entry in measured["parts"].items()}
    assert failed["loader"] == "took longer than 0.1 s"
    assert failed["mini"].startswith("only on a GPU")
    assert not failed["ceiling"] and len(measured["parts"]["ceiling"]["figures"]) == 4
    told = gpu.table(measured)
    assert "loader: took longer than 0.1 s" in told
    assert "ceiling: TFLOP/s, TF32 product of 128: " in told
    assert capsys.readouterr().out.startswith("loader: ")


def test_shares_of_the_cards_own_ceiling_and_what_the_loader_is_to_it() -> None:
    import gpu

    ceiling = {"TFLOP/s, bfloat16 product of 8192": 800.0, "TFLOP/s, TF32 product of 8192": 400.0}
    step = {
        "TFLOP/s, TF32": 100.0,
        "TFLOP/s, bfloat16 compiled": 320.0,
        "hours of speech an hour, TF32": 9000.0,
        "hours of speech an hour, bfloat16 compiled": 20000.0,
        "share of the time, a kernel": 0.5,
    }
    loader = {f"hours of speech an hour, {n} processes": 15000.0 * n for n in (1, 2)}
    parts = {"ceiling": ceiling, "pretraining": step, "loader": loader}
    measured = {"parts": {part: {"figures": figures} for part, figures in parts.items()}}
    assert gpu.compared(measured) == {
        "share of the measured peak, TF32": 0.25,
        "share of the measured peak, bfloat16 compiled": 0.4,
        "times as fast as the fastest training, the loader": 1.5,
    }
    assert gpu.compared({"parts": {}}) == {}


def test_rows_of_the_table_that_mini_is_compared_with() -> None:
    import gpu

    rows = gpu.rows_of(TOOLS.parent / "egs" / "mini" / "RESULTS.md")
    assert rows.keys() == set(gpu.MINI_SYSTEMS.split())
    assert all(float(row.partition(" ")[0]) > 25 for row in rows.values())


def test_without_a_gpu_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gpu

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--out", str(tmp_path / "out")])
    with pytest.raises(SerError, match="no GPU: PyTorch sees none; expected one; --cpu rehearses"):
        gpu.main()
    assert not (tmp_path / "out").exists()


def test_what_a_part_says_when_it_fails(tmp_path: Path) -> None:
    import gpu

    code = "import sys; print('some words'); sys.exit(3)"
    said = gpu.run([sys.executable, "-c", code], 60, tmp_path / "log")
    assert said == "exit 3: some words"


@pytest.mark.slow
def test_the_script_is_rehearsed_on_the_cpu(tmp_path: Path) -> None:
    out = tmp_path / "a folder" / "gpu"
    words = [str(TOOLS / "gpu.sh"), "--cpu", "--out", str(out), "--parts", "ceiling loader"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith(f"written to {out}/gpu.json")
    parts = json.loads((out / "gpu.json").read_text())["parts"]
    assert parts.keys() == {"ceiling", "loader"}
    assert not any("failed" in entry for entry in parts.values())
