"""An optimiser step asks nothing of the device; compiled, a network says what it said before."""

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny import (
    ALONE,
    ctc_config,
    encoder_config,
    optimizer_config,
    random_batch,
    system_config,
    training_config,
    whisper_config,
)
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from ser.config.network import ReadoutConfig
from ser.data.batch import Batch
from ser.nn.recogniser import Recogniser
from ser.nn.systems import build_system
from ser.train.engine.step import Stepper
from ser.train.finetune import emotion_loss
from ser.train.pretrain import recogniser_loss

pytestmark = pytest.mark.long

VOCAB_SIZE = 12
NO_DROPOUT = {"dropout_prob": 0.0, "attention_dropout_prob": 0.0}
ENCODERS = {
    "transformer": encoder_config(**NO_DROPOUT),
    "whisper": whisper_config(**NO_DROPOUT),
}


def as_fake(mode: FakeTensorMode, batch: Batch) -> Batch:
    return Batch(batch.utts, *map(mode.from_tensor, batch.tensors))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    "readout", ["emotion_vector", "mean_sd", "moments_and_halves", "attentive"]
)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_step_reads_nothing_back(encoder: str, readout: str, precision: str) -> None:
    """Tensors without values refuse to be read: a step that does would make a GPU wait."""
    system = system_config(
        "transformer_tl", model=ENCODERS[encoder], readout=ReadoutConfig(type=readout)
    )
    batch = random_batch(1)
    with FakeTensorMode(allow_non_fake_inputs=True) as fake:
        model = build_system(system, 4, None)
        stepper = Stepper(
            model,
            emotion_loss(system),
            training_config(precision=precision),
            optimizer_config(),
            num_steps=10,
            seed=1,
            world=ALONE,
        )
        values = stepper.step(0, [as_fake(fake, batch)], 1, 4, stop=False)
    assert values.keys() == {"loss", "emotion_loss", "stop", "gradient_norm"}


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_compiled_network_says_the_same(encoder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loss and gradient, at two lengths; no kernels are made, which takes a minute."""
    original = nn.Module.compile
    monkeypatch.setattr(
        nn.Module, "compile", lambda self, **o: original(self, backend="aot_eager", **o)
    )
    torch.manual_seed(1)
    plain = Recogniser(ENCODERS[encoder], VOCAB_SIZE)
    compiled = copy.deepcopy(plain)
    training = training_config(compile=True)
    compute_loss = recogniser_loss(ctc_config())
    Stepper(compiled, compute_loss, training, optimizer_config(), 10, 1, ALONE)
    whole = random_batch(1)
    cut = replace(whole, feats=whole.feats[:, :60], feat_lens=whole.feat_lens.clamp(max=60))
    for batch in (whole, cut):
        for model in (plain, compiled):
            model.zero_grad()
            torch.autograd.backward(compute_loss(model, batch).total)
        for (name, mine), theirs in zip(
            plain.named_parameters(), compiled.parameters(), strict=True
        ):
            torch.testing.assert_close(theirs.grad, mine.grad, rtol=1e-3, atol=1e-4, msg=name)


def test_a_warm_up_longer_than_the_training_is_told(log: Any) -> None:
    config = optimizer_config(warmup_steps=11)
    for num_steps in (11, 10):
        loss = recogniser_loss(ctc_config())
        Stepper(nn.Linear(2, 2), loss, training_config(), config, num_steps, 0, ALONE)
    (said,) = [line for line in log.lines if "warmup_steps 11 of 10 steps in all" in line]
    assert "is never reached" in said
