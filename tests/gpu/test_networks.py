"""Loss, gradient and logits on the GPU are those of the CPU."""

import copy
from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from tiny import (
    cnn_blstm_sa_config,
    ctc_config,
    encoder_config,
    random_batch,
    system_config,
    whisper_config,
)
from torch import nn

from ser.config.network import ReadoutConfig
from ser.nn.losses import Loss
from ser.nn.recogniser import Recogniser
from ser.nn.systems import build_system
from ser.train.engine.step import ComputeLoss, autocast
from ser.train.finetune import emotion_loss
from ser.train.pretrain import recogniser_loss

NUM_CLASSES, VOCAB_SIZE = 4, 12
FLOAT32_BOUND, BFLOAT16_BOUND = 1e-4, 5e-2
NO_DROPOUT = {"dropout_prob": 0.0, "attention_dropout_prob": 0.0}
ENCODERS = {
    "post": encoder_config(**NO_DROPOUT),
    "pre": encoder_config(layer_norm="pre", **NO_DROPOUT),
    "depth_scaled": encoder_config(initialisation="depth_scaled", **NO_DROPOUT),
    "whisper": whisper_config(),
}


class Case(NamedTuple):
    """A network and its loss."""

    model: nn.Module
    compute_loss: ComputeLoss


def system(name: str, encoder: str = "post", readout: str = "emotion_vector") -> Case:
    model = ENCODERS[encoder]
    if name == "cnn_blstm_sa":
        config = system_config(name, model=cnn_blstm_sa_config(dropout_prob=0.0))
    else:
        config = system_config(name, model=model, readout=ReadoutConfig(type=readout))
    return Case(build_system(config, NUM_CLASSES, VOCAB_SIZE), emotion_loss(config))


def recogniser(encoder: str) -> Case:
    return Case(Recogniser(ENCODERS[encoder], VOCAB_SIZE), recogniser_loss(ctc_config()))


CASES: dict[str, Callable[[], Case]] = {
    "cnn_blstm_sa": lambda: system("cnn_blstm_sa"),
    "transformer": lambda: system("transformer"),
    "transformer_tl": lambda: system("transformer_tl"),
    "transformer_tl_mtl": lambda: system("transformer_tl_mtl"),
    "whisper_mtl": lambda: system("transformer_tl_mtl", "whisper"),
    "whisper_mean_sd": lambda: system("transformer_tl", "whisper", "mean_sd"),
    "whisper_attentive": lambda: system("transformer_tl", "whisper", "attentive"),
    **{f"recogniser_{name}": lambda name=name: recogniser(name) for name in ENCODERS},
}


class Seen(NamedTuple):
    """What a network says of a batch, on the CPU."""

    loss: torch.Tensor
    logits: list[torch.Tensor]
    gradient: torch.Tensor


def look(case: Case, device: torch.device, precision: str) -> Seen:
    model = copy.deepcopy(case.model).to(device).train()
    if precision == "bfloat16":
        model = model.to(memory_format=torch.channels_last)
    logits: list[torch.Tensor] = []
    model.register_forward_hook(
        lambda module, given, out: logits.extend(t for t in out[:2] if t is not None)
    )
    with autocast(device, precision):
        loss: Loss = case.compute_loss(model, random_batch(1, vocab_size=VOCAB_SIZE).to(device))
    torch.autograd.backward(loss.total)
    gradients = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
    return Seen(
        loss.total.detach().cpu(),
        [t.detach().float().cpu() for t in logits if t.is_floating_point()],
        torch.cat(gradients).float().cpu(),
    )


def difference(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Relative, in the norm of all values."""
    assert found.isfinite().all()
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize(
    ("precision", "bound"), [("float32", FLOAT32_BOUND), ("bfloat16", BFLOAT16_BOUND)]
)
@pytest.mark.parametrize("name", CASES)
def test_a_gpu_says_what_the_cpu_says(
    device: torch.device, name: str, precision: str, bound: float
) -> None:
    torch.manual_seed(1)
    case = CASES[name]()
    expected = look(case, torch.device("cpu"), "float32")
    found = look(case, device, precision)
    assert difference(found.loss, expected.loss) <= bound
    assert len(found.logits) == len(expected.logits) > 0
    for logits, wanted in zip(found.logits, expected.logits, strict=True):
        assert difference(logits, wanted) <= bound
    assert difference(found.gradient, expected.gradient) <= bound
