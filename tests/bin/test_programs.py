"""What all programs have in common."""

import subprocess
import sys
from pathlib import Path

import pytest
from programs import call
from tracked import ROOT

from ser import bin as programs

PROGRAMS = sorted(
    path.stem
    for path in Path(programs.__path__[0]).glob("*.py")
    if "def main()" in path.read_text()
)
OFTEN_WITHOUT_WORK = (
    "audit choose finetune list_audio make_feats make_folds make_synthetic prepare_corpus "
    "prepare_cross prepare_iemocap prepare_librispeech prepare_table pretrain score "
    "submit train_bpe verify"
).split()
SLOW_IMPORTS = {"torch", "torchaudio", "tensorboard", "sklearn", "scipy.stats"}
RAVDESS, IEMOCAP, CROSS = (ROOT / "egs" / name / "conf" for name in ("ravdess", "iemocap", "cross"))
NONE = Path("/none")
RUNS = ["--conf", RAVDESS, "--protocol", RAVDESS / "protocol" / "paper.yaml", "--seeds", "1"]
RUNS += ["--systems", "transformer", "--feats", "f", "--bpe", "b", "--exp-dir", "exp"]
FAULTS: list[tuple[str, list[object], str]] = [
    ("prepare_corpus", ["ravdess", NONE, "out", "--conf", RAVDESS], "/none: no such folder"),
    ("prepare_corpus", ["ravdess", "/", "out", "--conf", NONE], "/none/labels.yaml: no such file"),
    ("prepare_iemocap", [NONE, "out", "--conf", IEMOCAP], "/none: no such folder"),
    ("prepare_iemocap", [NONE, "out", "--conf", RAVDESS], "counts.yaml: no such file"),
    (
        "prepare_iemocap",
        [NONE, "out", "--conf", IEMOCAP, "--attribute", "cue"],
        "--attribute cue: expected NAME=FILE",
    ),
    (
        "prepare_iemocap",
        [NONE, "out", "--conf", IEMOCAP, "--attribute", "a=b", "--attribute", "a=c"],
        "--attribute a=b a=c: expected NAME=FILE, each name once",
    ),
    (
        "prepare_librispeech",
        [NONE, "out", "valid", "--train-subsets", "train-clean-5"],
        "/none: no such folder",
    ),
    (
        "prepare_librispeech",
        [NONE, "out", "out", "--train-subsets", "train-clean-5"],
        "out: named twice; expected two folders",
    ),
    (
        "make_folds",
        [NONE, "out", "--protocol", RAVDESS / "protocol" / "paper.yaml"],
        "/none: not there or not whole",
    ),
    (
        "make_folds",
        [NONE, "out", "--protocol", RAVDESS / "bpe.yaml"],
        "the key 'fold_unit' is missing",
    ),
    ("train_bpe", [NONE, "out", "--conf", RAVDESS], "/none: not there or not whole"),
    (
        "pretrain",
        ["--conf", RAVDESS, *"--systems s --data d --feats f --bpe b --out o --seed -1".split()],
        "--seed -1: expected 0 to 4",
    ),
    ("make_feats", ["d", "--out", "out", "--conf", "c", "--nj", "999999"], "--nj 999999: "),
    ("make_synthetic", ["out", "--num-turns", "5"], "--num-turns 5: expected 80 to"),
    ("estimate", ["c.yaml", "--num-gpus", "0"], "--num-gpus 0: expected 1 to"),
    ("finetune", [*RUNS, "--pretrain", "."], "exp/folds: no fold lists"),
    ("pack", [NONE, "--out", "out"], "/none/seed1: no fold is trained"),
    ("pack", [NONE, "--out", "out", "--folds", "1 1"], "--folds '1 1': '1' occurs twice"),
    ("export", [NONE, "--out", "x.onnx"], "/none: no package.json"),
    ("export", [NONE, "--out", "x.bin"], "--out x.bin: expected a name that ends in"),
    ("export", [NONE, "--out", "no/x.onnx"], "no: no such folder"),
    ("prepare_cross", ["out", "--conf", NONE], "/none/cross.yaml: no such file"),
    ("prepare_cross", ["out", "--conf", CROSS], "../crema_d/data/ser: not there or not whole"),
    ("prepare_table", [NONE / "t.csv", "out", "--conf", CROSS], "/none/t.csv: no such file"),
    ("prepare_table", [Path("/"), "out", "--conf", CROSS], "/utt2spk: no such file"),
]
BEGINNINGS = ("run_program(main)", "program()")


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_helps_and_can_be_started(program: str) -> None:
    helped = call(program, "--help")
    assert (helped.status, helped.err) == (0, "")
    assert helped.out.startswith("usage: ")
    text = (Path(programs.__path__[0]) / f"{program}.py").read_text()
    assert text.endswith(tuple(f'\nif __name__ == "__main__":\n    {b}\n' for b in BEGINNINGS))


@pytest.mark.long
@pytest.mark.parametrize(
    ("names", "slow"),
    [
        (OFTEN_WITHOUT_WORK, SLOW_IMPORTS),
        (["ser_predict"], SLOW_IMPORTS | {"matplotlib", "jiwer", "kaldiio"}),
    ],
    ids=["stages", "ser_predict"],
)
def test_what_takes_seconds_to_import_is_not_imported_before_it_is_needed(
    names: list[str], slow: set[str]
) -> None:
    """Stages 3 and 4 too: where all is trained already, and where the jobs are other processes."""
    code = f"import sys, {', '.join(f'ser.bin.{name}' for name in names)}\n"
    code += f"print(*sorted({slow} & sys.modules.keys()))"
    imported = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (imported.stdout, imported.stderr) == ("\n", "")


@pytest.mark.parametrize(("program", "words", "said"), FAULTS)
def test_a_fault_is_one_line(
    program: str, words: list[object], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = call(program, *words)
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith("error: ")
    assert said in result.err
    assert result.err.count("\n") == 1
    assert not list(tmp_path.iterdir())
