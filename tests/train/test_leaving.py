"""Leaving on request, with a checkpoint."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_training import (
    NUM_EPOCHS,
    RESTLESS,
    STEPS_PER_EPOCH,
    KilledError,
    kill_in_validation,
    make_trainer,
    metrics_log,
    weights,
)

from ser.base.errors import StoppedError
from ser.nn.losses import Loss
from ser.train.training_data import TrainingData

pytestmark = pytest.mark.long


def signal_at(number: int) -> Callable[[int, Loss], Loss]:
    def change(call: int, loss: Loss) -> Loss:
        if call == number:
            os.kill(os.getpid(), signal.SIGTERM)
        return loss

    return change


@pytest.mark.parametrize("call", [3, 5, 9])  # the first two are rehearsals
def test_sigterm_writes_a_checkpoint_and_leaves(
    data: TrainingData, tmp_path: Path, every_second_step: None, call: int
) -> None:
    """The step under way is finished; the rerun ends in the same bits."""
    rare = RESTLESS.model_copy(update={"checkpoint_minutes": 60.0})
    make_trainer(data, tmp_path / "through", rare).run()
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(StoppedError, match=r"stopped after step (\d) of 9 \(SIGTERM\).*rerun"):
        make_trainer(data, tmp_path / "resumed", rare, change=signal_at(call)).run()
    assert signal.getsignal(signal.SIGTERM) is before
    assert not (tmp_path / "resumed" / "model.safetensors").exists()
    make_trainer(data, tmp_path / "resumed", rare).run()
    assert weights(tmp_path / "resumed") == weights(tmp_path / "through")
    assert metrics_log(tmp_path / "resumed") == metrics_log(tmp_path / "through")


def test_the_time_is_up(data: TrainingData, tmp_path: Path) -> None:
    """With no time at all each call makes one step, and the last ends the run."""
    make_trainer(data, tmp_path / "through").run()
    stopped = 0
    while not (tmp_path / "resumed" / "model.safetensors").exists():
        try:
            make_trainer(data, tmp_path / "resumed", deadline=time.monotonic() - 1).run()
        except StoppedError as error:
            stopped += 1
            assert f"stopped after step {stopped} of 9 (its time is up)" in str(error)
    assert stopped == NUM_EPOCHS * STEPS_PER_EPOCH
    assert weights(tmp_path / "resumed") == weights(tmp_path / "through")


def test_checkpoints_come_every_so_many_steps(data: TrainingData, tmp_path: Path) -> None:
    often = RESTLESS.model_copy(update={"checkpoint_minutes": 60.0, "checkpoint_steps": 2})
    with pytest.raises(KilledError):
        make_trainer(data, tmp_path, often, validate=kill_in_validation(2)).run()
    stored = json.loads((tmp_path / "checkpoint" / "progress.json").read_text())
    assert (stored["progress"]["step"], stored["progress"]["step_in_epoch"]) == (6, 3)
