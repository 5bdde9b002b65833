"""The optimiser's steps beside plain PyTorch, and which random numbers belong to which step."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import ALONE, SPEC_AUGMENT, optimizer_config, system_config, training_config
from tiny_training import NUM_EPOCHS, NUM_UTTS, STEPS_PER_EPOCH, make_trainer, metrics_log
from torch import nn

from ser.data.batch import read_batch
from ser.data.sampler import epoch_batches, shard_steps
from ser.nn.losses import Loss
from ser.train import training_data
from ser.train.engine.distributed import Distributed, prepare_process
from ser.train.engine.optimizer import learning_rate
from ser.train.engine.step import step_seed
from ser.train.finetune import emotion_loss
from ser.train.training_data import TrainingData

pytestmark = pytest.mark.long
PLAIN = training_config(batch_size_utts=4, max_epochs=NUM_EPOCHS, max_frames_in_memory=10**6)


@pytest.mark.parametrize("clip", [5.0, 1e9])
def test_steps_are_those_of_plain_pytorch(data: TrainingData, tmp_path: Path, clip: float) -> None:
    """The mean over the batch, clipped, by Adam; dropout is on, and eq. (8) is the loss."""
    config = optimizer_config(max_grad_norm=clip, betas=[0.8, 0.98], weight_decay=0.01)
    trainer = make_trainer(data, tmp_path, PLAIN, config)
    model = copy.deepcopy(trainer.model)
    trainer.run()
    loss_of = emotion_loss(system_config("transformer_tl_mtl"))
    adam = torch.optim.Adam(model.parameters(), betas=(0.8, 0.98), weight_decay=0.01)
    lens, num_steps, number = [u.num_frames for u in data.utterances], NUM_EPOCHS * 3, 0
    told = [entry for entry in metrics_log(tmp_path) if entry["scope"] == "epoch"]
    for epoch in range(NUM_EPOCHS):
        norms, losses = [], []
        batches = epoch_batches(lens, 4, PLAIN.length_jitter_prob, 1, epoch)
        for step in shard_steps(batches, lens, PLAIN.max_frames_in_memory, 0, 1):
            (indices,) = step.micro_batches
            adam.param_groups[0]["lr"] = learning_rate(config, number, num_steps)
            torch.manual_seed(step_seed(1, number, 0))
            model.train()
            adam.zero_grad()
            loss = loss_of(model, read_batch(data.utterances, indices, data.feats)).total
            (loss / len(indices)).backward()
            norms.append(float(nn.utils.clip_grad_norm_(model.parameters(), clip)))
            losses.append(float(loss.detach()))
            adam.step()
            number += 1
        assert told[epoch]["gradient_norm"] == pytest.approx(sum(norms) / len(norms), rel=1e-4)
        assert told[epoch]["loss"] == pytest.approx(sum(losses) / NUM_UTTS, rel=1e-4)
    for (name, wanted), found in zip(
        model.named_parameters(), trainer.model.parameters(), strict=True
    ):
        assert torch.allclose(found, wanted, atol=1e-5), name


def test_every_step_and_process_draws_its_own_numbers(data: TrainingData, tmp_path: Path) -> None:
    drawn = []
    for rank in (0, 1):
        seeds: list[int] = []

        def note(call: int, loss: Loss, seeds: list[int] = seeds) -> Loss:
            seeds.append(torch.initial_seed())
            return loss

        world = Distributed(rank, 1, ALONE.device)
        folder = tmp_path / str(rank)
        folder.mkdir()
        make_trainer(data, folder, PLAIN, change=note, world=world).run()
        drawn += seeds[-NUM_EPOCHS * STEPS_PER_EPOCH :]  # after the rehearsal
    assert len(set(drawn)) == 2 * NUM_EPOCHS * STEPS_PER_EPOCH


@pytest.mark.parametrize("function", ["epoch_batches", "spec_augment_spans"])
def test_every_epoch_and_seed_has_its_own_batches_and_masks(
    data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    asked: list[tuple[int, int]] = []
    original = getattr(training_data, function)

    def note(*given: Any) -> Any:
        asked.append((given[-2], given[-1]))
        return original(*given)

    monkeypatch.setattr(training_data, function, note)
    training = training_config(batch_size_utts=4, max_epochs=2, spec_augment=SPEC_AUGMENT)
    for seed in (1, 2):
        make_trainer(data, tmp_path / str(seed), training, seed=seed).run()
    assert asked == [(1, 0), (1, 1), (2, 0), (2, 1)]


def test_weights_begin_as_the_seed_has_them() -> None:
    drawn = []
    for seed in (1, 2, 1):
        prepare_process(torch.get_num_threads(), seed)
        drawn.append(torch.rand(3).tolist())
    assert drawn[0] == drawn[2] != drawn[1]
