"""What would end stage 4 after a pre-training of hours is told before it."""

from pathlib import Path

import pytest
import yaml
from after_stage_0 import FOLDS, READ, check, write_data
from tiny import reseal

from ser.base.record import Record
from ser.config.features import load_features
from ser.config.schema import BpeConfig
from ser.corpus.fold_files import TEST, TRAIN
from ser.kaldi.table import write_table
from ser.text.bpe import write_bpe

SYSTEM = "transformer_tl_mtl"
pytestmark = pytest.mark.usefixtures("bare_recipe")


def make_bpe(folder: Path) -> None:
    """Of so few pieces that a token is a character."""
    config = BpeConfig(num_pieces=40, character_coverage=1.0)
    Path("conf/bpe.yaml").write_text(yaml.safe_dump(config.model_dump()))
    write_bpe(Record(folder, 2, config.model_dump(), {}), READ, config, Path("text"))


def make_features() -> None:
    for part in ("asr_train", "asr_train_sp0.9", "asr_train_sp1.1", "asr_valid", "ser"):
        folder = Path("dump/fbank") / part
        folder.mkdir(parents=True)
        Record(folder, 1, load_features(Path("conf")).model_dump(), {}).finish()


def test_transcripts_too_long_for_ctc() -> None:
    """A second has 25 frames after subsampling by four."""
    make_bpe(Path("exp/bpe"))
    make_features()
    write_data(["SO IT IS", "SO IT IS NEVER QUITE OVER SO IT IS NEVER QUITE OVER"])
    for name in "123":
        parts = {"s-0": TRAIN, "s-1": TRAIN if name == "2" else TEST}
        write_table(FOLDS / f"fold{name}", parts)
    reseal(FOLDS)
    said = check(SYSTEM, stage=3)
    assert said.status == 1 and said.err.count("\n") == 1
    assert (
        f"data/ser/text ({SYSTEM}, fold2): 1 of 2 utterances are too short for their transcript, "
        "s-1 first; expected a share of at most 0.01" in said.err
    )
    assert check("transformer_tl", stage=3).status == 0, "it has no CTC head"
    assert check(SYSTEM, stage=3, folds="1 3").status == 0, "it is only tested there"
    finished = Path("exp") / SYSTEM / "seed1" / "fold2" / "model.safetensors"
    finished.parent.mkdir(parents=True)
    finished.touch()
    assert check(SYSTEM, stage=3).status == 0


def test_another_recipes_encoder_whose_head_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its record, as stage 4 looks at it."""
    other = Path("../other")
    (other / "exp").mkdir(parents=True)
    (other / "run.sh").touch()
    make_bpe(other / "exp" / "bpe")
    encoder = other / "exp" / "pretrain" / "ctc"
    features = load_features(Path("conf")).model_dump()
    for head, status in (([], 0), ([3], 1)):
        config = {"ctc": {"head": {"kernel_sizes": head}}}
        encoder.mkdir(parents=True, exist_ok=True)
        Record(encoder, 3, config, {}).finish(fbank=features)
        said = check(SYSTEM, "../other")
        assert said.status == status, said.err
    assert "mtl: ctc.head {'kernel_sizes': []}, but {'kernel_sizes': [3]} in pre" in said.err


def test_a_folder_of_temporary_files_whose_name_is_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / ("x" * 75)))
    said = check()
    assert said.status == 1
    assert "bytes; expected at most 75, since sockets of the jobs lie there" in said.err
    assert check(stop=3).status == 0


def test_a_system_whose_name_begins_as_a_seed() -> None:
    (Path("exp") / "seeded_init" / "seed1" / "fold1").mkdir(parents=True)
    assert check().status == 0
    said = check("transformer", ".", 6, "", 0, "--exp-dir", "exp/seeded_init")
    assert "--exp-dir exp/seeded_init: the folder of a system" in said.err
