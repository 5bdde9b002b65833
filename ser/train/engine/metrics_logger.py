"""What a run reports: a log for people, ``train.jsonl`` for programs, TensorBoard for curves."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from ser.base.errors import naming
from ser.base.log import logger


class MetricsLogger:
    """Appends one JSON object a report; the same numbers go to TensorBoard.

    Args:
        folder: Where ``train.jsonl`` and ``tensorboard`` lie.
        log_bytes: The length to go on at: what was written after the checkpoint is written again.
        step: Steps done so far.
        writes: Whether this process writes; of several that train together one does.
    """

    def __init__(self, folder: Path, log_bytes: int, step: int, writes: bool = True) -> None:
        self._writes = writes
        if writes:
            folder.mkdir(parents=True, exist_ok=True)
            self._stream = (folder / "train.jsonl").open("ab")
            self._stream.truncate(min(log_bytes, self._stream.tell()))  # one that was lost is new
            self._stream.seek(0, os.SEEK_END)
            with naming(folder / "tensorboard"):
                self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step)

    def __enter__(self) -> "MetricsLogger":
        return self

    def __exit__(self, *error: object) -> None:
        if self._writes:
            with naming(Path(self._stream.name)), self._stream:
                self.sync()  # or a power cut halves it after the run is called finished
            with naming(Path(self._board.log_dir)):
                self._board.close()

    def report(self, scope: str, epoch: int, step: int, values: Mapping[str, float]) -> None:
        """Reports values after a step (``scope`` "step") or an epoch ("epoch", counted from 1)."""
        if not self._writes:
            return
        numbers = {name: float(f"{value:.6g}") for name, value in values.items()}
        entry = {"scope": scope, "epoch": epoch, "step": step, **numbers}
        with naming(Path(self._stream.name)):
            self._stream.write(json.dumps(entry).encode() + b"\n")
            self._stream.flush()
        with naming(Path(self._board.log_dir)):
            for name, value in numbers.items():
                self._board.add_scalar(f"{scope}/{name}", value, step)
        if scope == "epoch":
            shown = ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())
            logger.info("epoch %s, step %s: %s", epoch, step, shown)

    def sync(self) -> int:
        """Length of ``train.jsonl``, all of which is on the disk, for a checkpoint to go on at."""
        os.fsync(self._stream.fileno())
        return self._stream.tell()


def averages(sums: Mapping[str, float]) -> dict[str, float]:
    """Losses an utterance; learning rate and gradient norm a step."""
    by_step = ("gradient_norm", "learning_rate")
    return {
        name: value / sums["steps" if name in by_step else "utts"]
        for name, value in sums.items()
        if name not in ("utts", "frames", "steps", "seconds")
    }
