"""Verification: untouched results pass wherever they lie, and every tampering is found."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_predictions import change, run_score, write_logs, write_predictions

from ser.base.errors import SerError
from ser.score.verify import verify

MTL = "predictions/transformer_tl_mtl"


@pytest.fixture
def exp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    exp_dir = tmp_path / "exp"
    write_predictions(exp_dir)
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "paper_results.yaml").write_text("cnn_blstm_sa: {wa: 58.1, ua: 59.8}\n")
    write_logs(exp_dir)
    run_score(monkeypatch, exp_dir, "--publish", str(tmp_path))
    return exp_dir


def test_untouched_results_pass_without_their_runs_and_elsewhere(exp: Path, tmp_path: Path) -> None:
    assert verify(exp, tmp_path / "RESULTS.md") == []
    shipped = tmp_path / "elsewhere" / "shipped"
    shutil.copytree(exp, shipped, ignore=shutil.ignore_patterns("pretrain", "seed?", "figures"))
    assert verify(shipped) == []


def test_last_digits_of_another_machine_pass(exp: Path) -> None:
    path = exp / "results.json"
    results = json.loads(path.read_text())
    results["systems"]["mine"]["wa"] *= 1 + 1e-13
    path.write_text(json.dumps(results))
    assert verify(exp) == []


def swap(exp: Path) -> None:
    one, other = (exp / f"{MTL}/seed{seed}_fold1.tsv" for seed in "12")
    text = one.read_text()
    one.write_text(other.read_text())
    other.write_text(text)


def move(exp: Path) -> None:
    """An utterance moves into another fold's table."""
    lines = (exp / f"{MTL}/seed1_fold1.tsv").read_text().splitlines(True)
    (exp / f"{MTL}/seed1_fold1.tsv").write_text("".join(lines[:-1]))
    with (exp / f"{MTL}/seed1_fold2.tsv").open("a") as stream:
        stream.write(lines[-1])


def remove_row(exp: Path) -> None:
    path = exp / f"{MTL}/seed1_fold1.tsv"
    path.write_text("".join(path.read_text().splitlines(True)[:-1]))


def double_row(exp: Path) -> None:
    path = exp / f"{MTL}/seed1_fold1.tsv"
    lines = path.read_text().splitlines(True)
    path.write_text("".join([*lines, lines[-1]]))


def edit(name: str, pattern: str, replacement: str) -> Callable[[Path], None]:
    def tamper(exp: Path) -> None:
        path = exp / name
        text, count = re.subn(pattern, replacement, path.read_text(), count=1)
        assert count == 1
        path.write_text(text)

    return tamper


TAMPERINGS: dict[str, tuple[Callable[[Path], None], str]] = {
    "a hypothesis": (
        edit(f"{MTL}/seed1_fold1.tsv", r"\tang\tang\t", r"\tang\tsad\t"),
        "confusion",
    ),
    "a posterior": (edit(f"{MTL}/seed1_fold2.tsv", r"0\.7\t0\.1", r"0.6\t0.2"), "calibration"),
    "a reference": (
        edit(f"{MTL}/seed1_fold1.tsv", r"\tang\tang\t", r"\tsad\tang\t"),
        "has another ref",
    ),
    "a row removed": (remove_row, "1-9 is not there"),
    "a row doubled": (double_row, "1-9 stands twice"),
    "an utterance in another fold": (move, "seed1_fold1.tsv: 1-9 is not there"),
    "a fold list": (edit("folds/fold1", "1-3 test", "1-3 train"), "was predicted under fold1@"),
    "two tables swapped": (swap, "seeds.1"),
    "a number of the report": (
        edit("RESULTS.md", r"(mine  [^\[]*?)\d\d\.\d", r"\g<1>99.9"),
        "the predictions give '",
    ),
    "a line added to the report": (
        lambda exp: (exp / "RESULTS.md").write_text((exp / "RESULTS.md").read_text() + "\nBest.\n"),
        "lines; the predictions give",
    ),
    "a number of results.json": (
        edit("results.json", r'"macro_f1": 0\.\d+', '"macro_f1": 0.99'),
        "macro_f1 is 0.99; the predictions give",
    ),
    "an attribute": (
        edit("predictions/attributes.tsv", "1-0\tF", "1-0\tM"),
        "predictions/attributes.tsv: its SHA-256",
    ),
    "the audit": (edit("audit.json", '"line": "yes"', '"line": "no"'), "audit.json: its SHA-256"),
    "a table deleted": (
        lambda exp: (exp / f"{MTL}/seed2_fold3.tsv").unlink(),
        "seed2_fold3.tsv: missing",
    ),
    "a system dropped": (
        lambda exp: shutil.rmtree(exp / MTL),
        "transformer_tl_mtl/seed1_fold1.tsv: missing",
    ),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_is_found(exp: Path, name: str) -> None:
    tamper, said = TAMPERINGS[name]
    tamper(exp)
    findings = verify(exp)
    assert any(said in finding for finding in findings), findings


def test_a_published_copy_is_verified_too(exp: Path, tmp_path: Path) -> None:
    change(tmp_path / "RESULTS.md", "CNN-BLSTM-SA", "Ours")
    (finding,) = verify(exp, tmp_path / "RESULTS.md")
    assert finding.startswith(f"{tmp_path / 'RESULTS.md'}:")


def test_no_results_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SerError, match=r"results\.json: no such file"):
        verify(tmp_path)
    (tmp_path / "results.json").write_text("{}")
    with pytest.raises(SerError, match=r"results\.json: no key 'run'"):
        verify(tmp_path)


def test_program_says_so_and_needs_no_torch(exp: Path) -> None:
    command = [sys.executable, "-m", "ser.bin.verify", str(exp)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert "verified" in result.stdout
    remove_row(exp)
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "1-9" in result.stderr
    assert "Traceback" not in result.stderr
    program = "import sys, ser.bin.verify; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
