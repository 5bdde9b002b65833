"""The rehearsal of the largest part of a batch."""

from pathlib import Path

import pytest
import torch
from tiny import ALONE, training_config
from tiny_training import make_trainer

from ser.base.errors import SerError
from ser.nn.losses import Loss
from ser.train.engine.memory import largest_micro_batches
from ser.train.training_data import TrainingData

pytestmark = pytest.mark.long


def test_a_full_memory_is_found_before_the_first_step(data: TrainingData, tmp_path: Path) -> None:
    """The longest utterances are tried first; the message names the key."""

    def full(call: int, loss: Loss) -> Loss:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    said = r"training\.max_frames_in_memory: a micro-batch of 1 utterances of up to 110 frames"
    with pytest.raises(SerError, match=said):
        make_trainer(data, tmp_path, change=full).run()
    assert not (tmp_path / "train.jsonl").exists()


@pytest.mark.parametrize(
    ("lens", "expected"),
    [
        ([500] * 40 + [600], [[40], [0, 1]]),  # two of 500 are more frames than one of 600
        ([500] * 40 + [1000], [[40]]),
        ([300] * 40 + [310], [[40, 0, 1]]),
        ([250] * 40 + [480] * 2 + [600], [[42], [40, 41], [0, 1, 2, 3]]),
        ([10] * 40, [[0, 1, 2, 3]]),
        ([3000, 100], [[0]]),
        ([100], [[0]]),
    ],
)
def test_the_largest_micro_batches(lens: list[int], expected: list[list[int]]) -> None:
    training = training_config(max_frames_in_memory=1000, batch_size_utts=8)
    assert largest_micro_batches(lens, training, num_processes=2) == expected


def test_rehearsal_leaves_no_trace(data: TrainingData, tmp_path: Path) -> None:
    trainer = make_trainer(data, tmp_path)
    before = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    trainer.stepper.probe_memory(data.batch([0, 1], trainer.training, trainer.world.device))
    after = trainer.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(p.grad is None for p in trainer.model.parameters())


def test_what_is_rehearsed_is_as_long_as_what_is_trained(data: TrainingData) -> None:
    """A compiled network sees lengths that are rounded up."""
    longest = [len(data.utterances) - 1]
    for compiled, size in ((False, 110), (True, 144)):
        training = training_config(compile=compiled)
        assert data.batch(longest, training, ALONE.device).feats.shape[1] == size
