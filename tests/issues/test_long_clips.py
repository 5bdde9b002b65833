"""Clips of minutes in the training part can be left out of it; by default none is."""

import pytest
from tiny import training_config
from tiny_recipe import (
    EXP,
    FEATS,
    PRETRAIN_PATH,
    change_config,
    change_system,
    finetune_run,
    pretrain_run,
    weights,
)

from ser.base.errors import SerError
from ser.config.schema import PretrainConfig, TrainingConfig
from ser.kaldi.table import read_table
from ser.train.finetune import finetune
from ser.train.pretrain import pretrain

pytestmark = pytest.mark.usefixtures("recipe")


def test_without_the_key_the_record_of_a_run_is_the_old_one() -> None:
    config = training_config()
    assert "max_seconds" not in config.model_dump()
    assert TrainingConfig.model_validate(config.model_dump()) == config
    assert config.model_copy(update={"max_seconds": 30.0}).model_dump()["max_seconds"] == 30.0


def test_longer_utterances_are_left_out_of_training_and_told() -> None:
    seconds = sorted(map(float, read_table(FEATS / "ser" / "utt2dur").values()))
    whole, cut = finetune_run("transformer"), finetune_run("transformer", exp_dir=EXP, seed=1)
    finetune(whole)
    before = weights(whole)
    change_system("transformer", training__max_seconds=seconds[-5])
    with pytest.raises(SerError, match=r"training\.max_seconds was absent and is .*--force"):
        finetune(cut)
    finetune(finetune_run("transformer", force=True))
    assert weights(cut) != before
    log = (cut.folder / "train.log").read_text()
    assert f"longer than {seconds[-5]:g} s (training.max_seconds)" in log


def test_nothing_left_to_train_on() -> None:
    change_system("transformer", training__max_seconds=0.01)
    with pytest.raises(
        SerError, match=r"all \d+ training utterances are longer than training\.max"
    ):
        finetune(finetune_run("transformer"))
    change_config(PRETRAIN_PATH, PretrainConfig, training__max_seconds=0.01)
    with pytest.raises(SerError, match=r"all 12 training utterances are longer than training\.max"):
        pretrain(pretrain_run(folder=EXP / "pretrain" / "other"))
