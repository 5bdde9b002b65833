"""The paper's own sizes: ``egs/iemocap`` builds, and takes one optimiser step of either kind."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import ALONE, SYSTEMS, ark_reader
from torch import nn
from tracked import ROOT

from ser.config.load import load_config
from ser.config.schema import PretrainConfig, SystemConfig, TrainingConfig
from ser.data.utterances import FeatureReader, Utterance
from ser.nn.recogniser import Recogniser
from ser.nn.systems import build_system
from ser.train.engine.loop import Trainer
from ser.train.engine.step import ComputeLoss
from ser.train.finetune import emotion_loss
from ser.train.pretrain import recogniser_loss
from ser.train.training_data import TrainingData

CONF = ROOT / "egs" / "iemocap" / "conf"
VOCAB_SIZE = 5001


def num_parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def test_parameter_counts_stand_in_the_readmes() -> None:
    pretrain = load_config(CONF / "pretrain" / "ctc.yaml", PretrainConfig)
    with torch.device("meta"):
        recogniser = num_parameters(Recogniser(pretrain.encoder, VOCAB_SIZE))
        systems = [
            num_parameters(build_system(load_config(path, SystemConfig), 4, VOCAB_SIZE))
            for path in (CONF / "systems" / f"{name}.yaml" for name in SYSTEMS)
        ]
    assert recogniser == 69_013_897
    text = (CONF.parent / "README.md").read_text()
    for count in (recogniser, *systems):
        assert f"{count:,}" in text
    assert "69.0 M" in (ROOT / "ser" / "train" / "README.md").read_text()


def speech(folder: Path, num_utts: int) -> tuple[list[Utterance], FeatureReader]:
    """Short utterances of noise, with transcripts and labels."""
    random = np.random.default_rng(1)
    lens = random.integers(30, 60, num_utts)
    feats = {
        f"u{i:02d}": random.normal(0, 3, (size, 80)).astype(np.float32)
        for i, size in enumerate(lens)
    }
    utterances = [
        Utterance(utt, len(matrix), random.integers(1, VOCAB_SIZE, 3).tolist(), i % 4)
        for i, (utt, matrix) in enumerate(feats.items())
    ]
    return utterances, ark_reader(folder, feats)


def one_step(
    folder: Path,
    model: nn.Module,
    loss: ComputeLoss,
    config: PretrainConfig | SystemConfig,
) -> None:
    """One optimiser step on the conf's batch, in several parts, changes every weight."""
    training: TrainingConfig = config.training.model_copy(
        update={"max_epochs": 1, "max_frames_in_memory": 1000, "num_loader_workers": 0}
    )
    utterances, feats = speech(folder, training.batch_size_utts)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    data = TrainingData(utterances, feats, 10.0)
    trainer = Trainer(model, loss, data, training, config.optimizer, folder, 1, ALONE)
    assert trainer.run()["num_steps"] == 1
    unmoved = [name for name, p in model.named_parameters() if torch.equal(p, before[name])]
    assert not unmoved
    assert all(p.isfinite().all() for p in model.parameters())


@pytest.mark.slow
def test_one_step_of_pretraining(tmp_path: Path) -> None:
    config = load_config(CONF / "pretrain" / "ctc.yaml", PretrainConfig)
    model = Recogniser(config.encoder, VOCAB_SIZE)
    one_step(tmp_path, model, recogniser_loss(config.ctc), config)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["transformer_tl_mtl", "cnn_blstm_sa"])
def test_one_step_of_finetuning(tmp_path: Path, name: str) -> None:
    config = load_config(CONF / "systems" / f"{name}.yaml", SystemConfig)
    model = build_system(config, 4, VOCAB_SIZE)
    one_step(tmp_path, model, emotion_loss(config), config)
