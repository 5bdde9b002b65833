"""A configuration that was edited after a stage read it ends every stage that reads its output."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from programs import call
from tiny import FBANK, write_config
from tiny_audio import packing
from tiny_recipe import (
    BPE,
    CONF,
    EXP,
    FEATS,
    LABELS,
    PRETRAIN_PATH,
    change_config,
    change_system,
    finetune_run,
)
from tiny_recipe import pretrain_run as pretraining

from ser.base.errors import SerError
from ser.base.files import read_json
from ser.base.record import Record, read_record
from ser.base.writing import write_json
from ser.config.features import FbankConfig
from ser.config.labels import LabelsConfig
from ser.config.made_with import require_bpe, require_features, require_labels_of_features
from ser.config.schema import BpeConfig, PretrainConfig
from ser.predict.folds import predict_all
from ser.release.pack import pack
from ser.train.pretrain import pretrain
from ser.train.resolve import resolve

SYSTEM = "transformer_tl_mtl"
DATA = Path("data/ser")
REMAPPED = LabelsConfig(classes={**LABELS.classes, "hap": ["hap", "exc"]}, exclude=["xxx"])
TURNED = LabelsConfig(classes=dict(reversed(LABELS.classes.items())), exclude=["xxx"])


def remap(labels: LabelsConfig = REMAPPED) -> None:
    write_config(CONF / "labels.yaml", labels)


def shift() -> None:
    change_config(CONF / "fbank.yaml", FbankConfig, frame_shift_ms=12.5)


def cut_words() -> None:
    change_config(CONF / "bpe.yaml", BpeConfig, num_pieces=26)


def pretrain_longer() -> None:
    change_config(PRETRAIN_PATH, PretrainConfig, training__max_epochs=9)


EDITS = [
    (remap, r"labels\.yaml: classes\.hap was \['hap'\] and is \['hap', 'exc'\].* --stage 0 "),
    (lambda: remap(TURNED), r"labels\.yaml: order was \['ang', .*'sad'\] and is .* --stage 0 "),
    (shift, r"fbank\.yaml: frame_shift_ms was 10\.0 and is 12\.5; .*dump/fbank/ser.* --stage 1 "),
    (cut_words, r"bpe\.yaml: num_pieces was 24 and is 26; .* exp/bpe.* --stage 2 "),
    (pretrain_longer, r"ctc\.yaml: training\.max_epochs was 3 and is 9; .* --stage 3 "),
]


def with_data(labels: LabelsConfig = LABELS) -> None:
    """Stage 0's record, and features that were made from it."""
    record = Record(DATA, 0, {"labels": labels.record()}, {})
    DATA.mkdir(parents=True, exist_ok=True)
    record.finish()
    feats = read_record(FEATS / "ser")
    write_json(
        FEATS / "ser" / "run.json", feats | {"inputs": {str(DATA): record.identity}}
    )  # its identity stays, as of the runs that were trained on it


@pytest.mark.parametrize(("edit", "message"), EDITS)
@pytest.mark.usefixtures("trained")
def test_stages_4_and_5_refuse(edit: Callable[[], None], message: str) -> None:
    with_data()
    resolve(finetune_run(SYSTEM))
    edit()
    with pytest.raises(SerError, match=message):
        resolve(finetune_run(SYSTEM))
    with pytest.raises(SerError, match=message):
        predict_all([finetune_run(SYSTEM)])


@pytest.mark.parametrize(("edit", "message"), [EDITS[2], EDITS[3]])
@pytest.mark.usefixtures("recipe")
def test_stage_3_refuses(edit: Callable[[], None], message: str) -> None:
    edit()
    with pytest.raises(SerError, match=message.replace("fbank/ser", "fbank/asr_train")):
        pretrain(pretraining())


@pytest.mark.parametrize(("edit", "message"), EDITS[:3])
@pytest.mark.usefixtures("trained")
def test_stage_6_and_the_doctor_refuse(edit: Callable[[], None], message: str) -> None:
    with_data()
    edit()
    score = ["--exp-dir", EXP, "--pretrain", EXP / "pretrain", "--conf", CONF, "--seeds", 1]
    score += ["--systems", SYSTEM, "--feats", FEATS / "ser", "--command", "./run.sh"]
    said = call("score", *score)
    assert said.status == 1
    with pytest.raises(SerError, match=message):
        raise SerError(said.err)
    for stage in (4, 5, 6):
        words = ["--systems", SYSTEM, "--stage", stage, "--stop-stage", stage, "--json"]
        found = json.loads(call("doctor", *words).out)["findings"]
        errors = " ".join(one["message"] for one in found if one["level"] == "error")
        with pytest.raises(SerError, match=message):
            raise SerError(errors)


@pytest.mark.parametrize("part", ["ser", "asr_train"])
@pytest.mark.usefixtures("recipe")
def test_copies_of_other_features_are_refused(part: str) -> None:
    change_system(SYSTEM, training__speed_factors=[0.9])
    change_config(PRETRAIN_PATH, PretrainConfig, training__speed_factors=[0.9])
    for name in ("ser", "asr_train"):
        shutil.copytree(FEATS / name, FEATS / f"{name}_sp0.9")
    copy = FEATS / f"{part}_sp0.9"
    Record(copy, 1, FBANK.model_dump() | {"frame_shift_ms": 12.5}, {}).finish()
    message = rf"frame_shift_ms was 12\.5 and is 10\.0; .* {copy}; .* --stage 1 "
    with pytest.raises(SerError, match=message):
        resolve(finetune_run(SYSTEM)) if part == "ser" else pretrain(pretraining())
    words = ["--systems", SYSTEM, "--stage", 3, "--read-speech"]
    with pytest.raises(SerError, match=message):
        raise SerError(call("doctor", *words).err)


@pytest.mark.usefixtures("trained")
def test_a_run_that_was_trained_on_other_classes_is_not_packed() -> None:
    """Stage 0 was run again since; or a version without these checks trained it."""
    with_data(REMAPPED)
    message = (
        r"data/ser: not the classes that exp/.*/fold1 was trained on: classes\.hap was \['hap'\] "
        r"and is \['hap', 'exc'\]; .* put labels\.yaml back and rerun from stage 0, or train again"
    )
    with pytest.raises(SerError, match=message):
        pack(packing(), Path("again").resolve())
    assert not Path("again").exists()


@pytest.mark.usefixtures("recipe")
def test_what_is_the_same_goes_on() -> None:
    """Records of earlier versions lack keys; another recipe's recogniser has its own bpe.yaml."""
    with_data()
    for folder, lacking in ((DATA, "order"), (FEATS / "ser", "normalisation")):
        record = read_json(folder / "run.json")
        record["config"].pop(lacking, None)
        record["config"].get("labels", {}).pop(lacking, None)
        write_json(folder / "run.json", record)
    assert "normalisation" in FBANK.model_dump()
    made = read_record(FEATS / "ser")
    require_features(FEATS / "ser", made, CONF)
    require_labels_of_features(FEATS / "ser", made, LABELS, CONF / "labels.yaml")
    other = Path("other")
    shutil.copytree(BPE, other / BPE)
    Path("run.sh").touch()
    (other / "run.sh").touch()
    cut_words()
    require_bpe(other / BPE, read_record(other / BPE), CONF)
    with pytest.raises(SerError, match="num_pieces was 24 and is 26"):
        require_bpe(BPE, read_record(BPE), CONF)
    # A configuration that lies in another recipe is that of what is made here with it.
    shutil.copytree(CONF, other / CONF)
    with pytest.raises(SerError, match="num_pieces was 24 and is 26"):
        require_bpe(BPE, read_record(BPE), other / CONF)
