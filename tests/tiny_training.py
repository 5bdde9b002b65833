"""A training run of a few steps on random features, that tests interrupt and look into."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tiny import (
    ALONE,
    SPEC_AUGMENT,
    ark_reader,
    encoder_config,
    optimizer_config,
    random_feats,
    system_config,
    training_config,
)
from torch import nn

from ser.config.schema import OptimizerConfig, TrainingConfig
from ser.data.batch import Batch
from ser.data.utterances import Utterance
from ser.nn.emotion import EmotionModel
from ser.nn.losses import Loss
from ser.nn.systems import build_system
from ser.train.engine.loop import Trainer
from ser.train.finetune import emotion_loss
from ser.train.training_data import TrainingData

PACE = ("seconds", "speech_hours_per_hour", "minutes_left")
NUM_UTTS, NUM_EPOCHS, STEPS_PER_EPOCH = 11, 3, 3
NO_DROPOUT = encoder_config(dropout_prob=0.0, attention_dropout_prob=0.0)
# Each step is checkpointed; batches are split; dropout and masks draw random numbers.
RESTLESS = training_config(
    batch_size_utts=4,
    max_epochs=NUM_EPOCHS,
    max_frames_in_memory=200,
    checkpoint_minutes=1e-12,
    spec_augment=SPEC_AUGMENT,
)


class KilledError(Exception):
    """Stands for the end of the process."""


def make_trainer(
    data: TrainingData,
    folder: Path,
    training: TrainingConfig = RESTLESS,
    optimizer: OptimizerConfig | None = None,
    model_config: Any = None,
    change: Callable[[int, Loss], Loss] = lambda call, loss: loss,
    **options: Any,
) -> Trainer:
    """A run of TL+MTL. ``change`` may raise, or alter the loss, by the number of the call."""
    torch.manual_seed(options.get("seed", 1))
    system = system_config("transformer_tl_mtl", model=model_config or encoder_config())
    model = build_system(system, 4, 6)
    assert isinstance(model, EmotionModel)
    loss_of = emotion_loss(system)
    calls = 0

    def compute_loss(network: nn.Module, batch: Batch) -> Loss:
        nonlocal calls
        calls += 1
        return change(calls, loss_of(network, batch))

    options = {"seed": 1, "world": ALONE, **options}
    seed, world = options.pop("seed"), options.pop("world")
    model.to(world.device)
    optimizer = optimizer or optimizer_config()
    return Trainer(model, compute_loss, data, training, optimizer, folder, seed, world, **options)


def kill_at(number: int) -> Callable[[int, Loss], Loss]:
    def change(call: int, loss: Loss) -> Loss:
        if call == number:
            raise KilledError
        return loss

    return change


def kill_in_validation(number: int) -> Callable[[], dict[str, float]]:
    calls = 0

    def validate() -> dict[str, float]:
        nonlocal calls
        calls += 1
        if calls == number:
            raise KilledError
        return {}

    return validate


def make_data(folder: Path) -> TrainingData:
    """Random features of utterances of different lengths, with tokens and classes."""
    utterances = [
        Utterance(f"u{i}", 40 + 7 * i, [1 + i % 3, 4, 2], label=i % 4) for i in range(NUM_UTTS)
    ]
    feats = random_feats({u.utt: u.num_frames for u in utterances})
    return TrainingData(utterances, ark_reader(folder, feats), 10.0)


def metrics_log(folder: Path) -> list[dict[str, float]]:
    """What ``train.jsonl`` says, but for the time it took."""
    entries = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    return [{k: v for k, v in entry.items() if k not in PACE} for entry in entries]


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def scores(*values: float) -> Callable[[], dict[str, float]]:
    """A validation metric epoch by epoch."""
    remaining = iter(values)
    return lambda: {"valid_ua": next(remaining)}
