"""What a fine-tuning run refuses, and what it says then."""

import shutil
from pathlib import Path

import pytest
from tiny import SYSTEMS, ctc_config, encoder_config, reseal
from tiny_recipe import BPE, EXP, FEATS, PROTOCOL, change_system, finetune_run, write_folds_of

from ser.base.errors import SerError
from ser.base.record import Record, read_record
from ser.kaldi.table import read_table, write_table
from ser.train.finetune import finetune

pytestmark = pytest.mark.usefixtures("recipe")


def test_patience_needs_a_validation_set() -> None:
    change_system("transformer", training__patience_epochs=2)
    with pytest.raises(SerError, match=r"^transformer: training\.patience_epochs 2 with"):
        finetune(finetune_run("transformer"))
    write_folds_of(PROTOCOL.model_copy(update={"validation": "next_fold"}))
    finetune(finetune_run("transformer"))


def test_missing_pretraining_names_stage_3() -> None:
    (EXP / "pretrain" / "ctc" / "run.json").unlink()
    for system in SYSTEMS[2:]:
        with pytest.raises(SerError, match=r"exp/pretrain/ctc: not there.*--stage 3"):
            finetune(finetune_run(system))
    for system in SYSTEMS[:2]:
        finetune(finetune_run(system))


@pytest.mark.parametrize(
    ("path", "stage"), [(FEATS / "ser", 1), (EXP / "folds", 0), (BPE, 2)], ids=str
)
def test_missing_input_names_its_stage(path: Path, stage: int) -> None:
    (path / "run.json").unlink()
    with pytest.raises(SerError, match=f"{path}: not there.*--stage {stage}"):
        finetune(finetune_run("transformer_tl_mtl"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"num_blocks": 2}, "num_blocks was 1 and is 2"),
        (
            {"num_blocks": 1, "num_heads": 2, "head_dim": 16},
            "head_dim was",
        ),  # the weights have the same shapes
    ],
)
def test_another_network_than_the_encoders_is_refused(changes: dict[str, int], said: str) -> None:
    change_system("transformer_tl", model=encoder_config(**changes))
    with pytest.raises(SerError, match=f"transformer_tl: its network is not that .*{said}"):
        finetune(finetune_run("transformer_tl"))


def test_another_number_of_bands_than_the_features_have_is_refused() -> None:
    change_system("transformer", model=encoder_config(num_mel_bins=40))
    with pytest.raises(SerError, match=r"fbank\.yaml: num_mel_bins 80; transformer expects 40"):
        finetune(finetune_run("transformer"))


def test_dropout_may_be_another_than_the_encoders() -> None:
    change_system("transformer_tl", model=encoder_config(num_blocks=1, dropout_prob=0.3))
    finetune(finetune_run("transformer_tl"))


def test_another_ctc_head_than_the_recognisers_is_refused() -> None:
    change_system("transformer_tl_mtl", ctc=ctc_config(head={"kernel_sizes": [3, 5]}))
    with pytest.raises(SerError, match=r"sizes': \[3, 5\]}, but {'kernel_sizes': \[\]} in pre"):
        finetune(finetune_run("transformer_tl_mtl"))


def test_another_bpe_than_the_recognisers_is_refused() -> None:
    """It has as many pieces, and the CTC head knows them by other numbers."""
    other = EXP / "other"
    shutil.copytree(BPE, other)
    Record(other, 2, read_record(BPE)["config"], {"text": "another"}).finish()
    with pytest.raises(
        SerError, match=r"^exp/other: another BPE .* exp/pretrain/ctc, .* run\.json"
    ):
        finetune(finetune_run("transformer_tl_mtl", bpe=other))


def test_a_corpus_without_words_has_nothing_for_ctc() -> None:
    path = FEATS / "ser" / "text"
    write_table(path, dict.fromkeys(read_table(path), ""))
    reseal(path.parent)
    with pytest.raises(SerError, match=r"no words in 16 training utterances.*--systems"):
        finetune(finetune_run("transformer_tl_mtl"))
    finetune(finetune_run("transformer_tl"))
