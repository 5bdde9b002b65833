"""pack and export from the shell."""

from pathlib import Path

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
