"""The losses of the recipes' own configurations, as they have always been.

The figures were written down once; a change of them is a change of what everybody trains, and needs
a reason. Other processors round differently, hence the tolerance.
"""

import pytest
import torch
from tiny import random_batch
from torch import nn
from tracked import ROOT

from ser.config.load import load_config
from ser.config.schema import OptimizerConfig, PretrainConfig, SystemConfig
from ser.nn.cpu.accelerate import accelerate
from ser.nn.systems import build_recogniser, build_system
from ser.train.engine.optimizer import make_optimizer
from ser.train.engine.step import ComputeLoss
from ser.train.finetune import emotion_loss
from ser.train.pretrain import recogniser_loss

pytestmark = pytest.mark.long

EGS = ROOT / "egs"
VOCAB_SIZE, NUM_CLASSES, NUM_STEPS = 120, 4, 3

GOLDEN: dict[str, list[float]] = {
    "mini/conf/pretrain/ctc": [102.424515, 40.335979, 26.225979],
    "mini/conf/systems/cnn_blstm_sa": [5.678031, 5.556637, 5.126556],
    "mini/conf/systems/transformer": [6.873368, 9.396432, 3.018748],
    "mini/conf/systems/transformer_tl_mtl": [66.423737, 45.512352, 25.635559],
    "ravdess/conf/whisper/pretrain/ctc": [348.633484, 284.369080, 149.502106],
    "ravdess/conf/whisper/systems/transformer_tl": [5.601501, 8.668823, 5.521461],
    "ravdess/conf/whisper/tuning/transformer_tl_mean_sd": [5.475486, 6.955713, 5.312753],
    "ravdess/conf/whisper/tuning/transformer_tl_mtl": [214.000412, 209.435974, 157.386902],
    "ravdess/conf/whisper/tuning/transformer_tl_moments": [5.544495, 9.168876, 5.078649],
    "ravdess/conf/whisper/tuning/transformer_tl_smoothed": [5.508307, 6.692060, 5.527212],
    "ravdess/conf/whisper/tuning/transformer_tl_attentive": [4.829240, 6.577540, 4.872123],
}


def losses(
    model: nn.Module, compute_loss: ComputeLoss, config: OptimizerConfig, num_mel_bins: int
) -> list[float]:
    """The losses of a few steps; each draws its dropout from its own seed."""
    accelerate(model)
    optimizer = make_optimizer(model, config)
    found = []
    for step in range(NUM_STEPS):
        torch.manual_seed(100 + step)
        model.train()
        optimizer.zero_grad()
        loss = compute_loss(model, random_batch(step, num_mel_bins, VOCAB_SIZE)).total
        torch.autograd.backward(loss)
        optimizer.step()
        found.append(loss.item())
    return found


@pytest.mark.parametrize("name", GOLDEN)
def test_losses_are_what_they_were(name: str) -> None:
    path = EGS / f"{name}.yaml"
    torch.manual_seed(1)
    if path.parent.name == "pretrain":
        pretrain = load_config(path, PretrainConfig)
        model = build_recogniser(pretrain, VOCAB_SIZE)
        compute_loss = recogniser_loss(pretrain.ctc)
        found = losses(model, compute_loss, pretrain.optimizer, pretrain.encoder.num_mel_bins)
    else:
        system = load_config(path, SystemConfig)
        network = build_system(system, NUM_CLASSES, VOCAB_SIZE)
        compute_loss = emotion_loss(system)
        found = losses(network, compute_loss, system.optimizer, system.model.num_mel_bins)
    assert found == pytest.approx(GOLDEN[name], rel=1e-4)
