"""pack, export, prepare_cross and prepare_table from the shell: what works, faults in a line."""

from pathlib import Path

import pytest
from programs import call
from tiny_audio import plant_files
from tiny_recipe import EXP


def test_from_a_run_to_an_answer(trained: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    packed = call("pack", EXP / "transformer_tl_mtl", "--out", model, "--folds", "1")
    assert packed.status == 0, packed.err
    assert "1 sets of weights" in packed.err
    exported = call("export", model, "--out", tmp_path / "model.onnx")
    assert exported.status == 0, exported.err
    assert "model.onnx: ONNX, opset 18" in exported.err
    answers = [
        call("ser_predict", path, plant_files(tmp_path)[0], "--format", "tsv").out
        for path in (model, tmp_path / "model.onnx")
    ]
    assert answers[0].splitlines()[0] == answers[1].splitlines()[0]
    assert answers[0].splitlines()[1].split("\t")[1] == answers[1].splitlines()[1].split("\t")[1]


def faults() -> list[tuple[str, list[object], str]]:
    none, here = Path("/none"), Path("out")
    conf = Path(__file__).parents[2] / "egs" / "cross" / "conf"
    return [
        ("pack", [none, "--out", here], "/none/seed1: no fold is trained"),
        ("pack", [none, "--out", here, "--folds", "1 1"], "--folds '1 1': '1' occurs twice"),
        ("export", [none, "--out", "x.onnx"], "/none: no package.json"),
        ("export", [none, "--out", "x.bin"], "--out x.bin: expected a name that ends in"),
        ("export", [none, "--out", "no/x.onnx"], "no: no such folder"),
        ("prepare_cross", [here, "--conf", none], "/none/cross.yaml: no such file"),
        ("prepare_cross", [here, "--conf", conf], "../crema_d/data/ser: not there or not whole"),
        ("prepare_table", [none / "t.csv", here, "--conf", conf], "/none/t.csv: no such file"),
        ("prepare_table", [Path("/"), here, "--conf", conf], "/utt2spk: no such file"),
    ]


@pytest.mark.parametrize(("program", "words", "said"), faults())
def test_a_fault_is_one_line(
    program: str,
    words: list[object],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = call(program, *words)
    assert result.status == 1
    assert result.out == ""
    assert result.err.startswith("error: ")
    assert said in result.err
    assert result.err.count("\n") == 1
    assert not list(tmp_path.iterdir())
