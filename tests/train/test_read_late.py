"""On a GPU what several steps gave is read at once: the same run, the same errors."""

import math
from pathlib import Path

import pytest
from tiny import training_config
from tiny_training import make_trainer, metrics_log, weights

from ser.base.errors import SerError
from ser.data.sampler import epoch_batches
from ser.nn.losses import Loss
from ser.train.engine.loop import Trainer
from ser.train.training_data import TrainingData

pytestmark = pytest.mark.long


def test_steps_that_are_read_late_are_the_same(
    data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_trainer(data, tmp_path / "each").run()
    at_the_end = lambda self, number: number % self.steps_per_epoch == 0  # noqa: E731
    monkeypatch.setattr(Trainer, "_is_read", at_the_end)
    make_trainer(data, tmp_path / "late").run()
    assert weights(tmp_path / "late") == weights(tmp_path / "each")
    assert metrics_log(tmp_path / "late") == metrics_log(tmp_path / "each")


def test_a_loss_that_is_not_finite_and_read_late_is_that_of_its_own_step(
    data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step before and those after it are taken, it is not."""
    training = training_config(batch_size_utts=4, max_epochs=2)

    def spoil(call: int, loss: Loss) -> Loss:
        return loss._replace(total=loss.total * math.nan) if call == 3 else loss

    monkeypatch.setattr(Trainer, "_is_read", lambda self, number: number == 3)
    batch = epoch_batches([u.num_frames for u in data.utterances], 4, 0.05, 1, 0)[1]
    trainer = make_trainer(data, tmp_path, training, change=spoil)
    with pytest.raises(SerError, match=r"loss nan, gradient norm nan at step 2;") as caught:
        trainer.run()
    named = str(caught.value).partition("the utterances: ")[2].split("; ")
    assert sorted(named) == sorted(data.utterances[i].utt for i in batch)
    states = trainer.stepper.optimizer.state.values()
    assert {float(state["step"]) for state in states} == {2.0}
    assert all(p.isfinite().all() for p in trainer.model.parameters())
