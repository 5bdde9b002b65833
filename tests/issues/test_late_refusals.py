"""What can be known early is refused early: before a stage runs, or when the folds are made."""

import shutil
from pathlib import Path

import pytest
from programs import Said, call

import ser
from ser.base.record import Record
from ser.config.load import load_config
from ser.config.protocol import ProtocolConfig

EGS = Path(ser.__file__).parents[1] / "egs"
SCRATCH = "cnn_blstm_sa transformer"


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration of egs/ravdess, and nothing else."""
    shutil.copytree(EGS / "ravdess" / "conf", tmp_path / "recipe" / "conf")
    monkeypatch.chdir(tmp_path / "recipe")
    return tmp_path / "recipe"


def check(systems: str = SCRATCH, recogniser: str = ".", stop: int = 6, folds: str = "") -> Said:
    words = ["--conf", "conf", "--systems", systems, "--protocol", "conf/protocol/paper.yaml"]
    words += ["--folds", folds, "--exp-dir", "exp", "--recogniser", recogniser]
    return call(
        "check_run", *words, "--pretrain", f"{recogniser}/exp/pretrain", "--stop-stage", stop
    )


@pytest.mark.usefixtures("recipe")
def test_a_call_that_can_be_says_whether_it_needs_read_speech() -> None:
    assert check().out == "false\n"
    assert check("transformer_tl").out == "true\n"
    assert check(SCRATCH, "none").out == "false\n"
    assert check("transformer_tl", "none", stop=0).out == "false\n", "data alone"


@pytest.mark.usefixtures("recipe")
@pytest.mark.parametrize("stop", [1, 6])
def test_systems_that_cannot_be_without_a_recogniser(stop: int) -> None:
    said = check(f"{SCRATCH} transformer_tl", "none", stop)
    assert said.status == 1
    assert said.err.startswith("error: --recogniser none: transformer_tl cannot be without")
    assert said.err.count("\n") == 1


@pytest.mark.usefixtures("recipe")
def test_an_untrained_recogniser() -> None:
    said = check("transformer_tl", "../ravdess")
    assert said.status == 1
    assert "../ravdess/exp/pretrain/ctc: not there or not whole" in said.err
    assert check(SCRATCH, "../ravdess").status == 0
    assert check("transformer_tl", "../ravdess", stop=3).status == 0


def test_all_faults_of_the_configuration_at_once(recipe: Path) -> None:
    for name, old, new in (
        ("systems/transformer.yaml", "learning_rate:", "lerning_rate:"),
        ("systems/cnn_blstm_sa.yaml", "max_epochs: 14", "max_epochs: 0"),
        ("labels.yaml", "exclude:", "exclud:"),
        ("protocol/paper.yaml", "selection: last", "selection: best"),
    ):
        path = recipe / "conf" / name
        text = path.read_text()
        assert old in text, name
        path.write_text(text.replace(old, new))
    said = check()
    assert said.status == 1 and said.err.count("\n") == 1
    for name in ("transformer.yaml", "cnn_blstm_sa.yaml", "labels.yaml", "paper.yaml"):
        assert name in said.err


@pytest.mark.usefixtures("recipe")
def test_a_fold_that_is_not_there() -> None:
    """Known as soon as the folds of this very protocol are there."""
    folds = Path("exp/folds")
    protocol = load_config(Path("conf/protocol/paper.yaml"), ProtocolConfig)
    for name in "123":
        (folds / f"fold{name}").mkdir(parents=True)
    Record(folds, 0, {}, {}).finish()
    assert check(folds="1 99").status == 0, "the folds of another protocol"
    Record(folds, 0, protocol.model_dump(), {}).finish()
    assert check(folds="1 3").status == 0
    said = check(folds="1 99")
    assert said.status == 1
    assert "--folds 99: no such fold; expected some of: 1 2 3" in said.err
