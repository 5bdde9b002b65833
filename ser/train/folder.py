"""One training run in one folder: claimed, logged, finished, tidied."""

import shutil
from collections.abc import Callable, Mapping
from typing import Any

from ser.base.log import log_to_file, logger
from ser.base.record import Record, claim_training_folder, sole_run


def train_in_folder(record: Record, force: bool, train: Callable[[], Mapping[str, Any]]) -> None:
    """Runs ``train`` in the record's folder unless the finished run is there already.

    Args:
        record: What the run is made from.
        force: Whether another run in the folder is moved aside.
        train: Trains, and returns what the record should note.

    Raises:
        SerError: Another process writes there, or the folder holds another run.
    """
    with sole_run(record.folder):
        if not claim_training_folder(record, force):
            return
        log = record.folder / "train.log"
        logger.info("%s: log in %s", record.folder, log)
        with log_to_file(log):
            notes = train()
        record.finish(**notes)
        shutil.rmtree(record.folder / "checkpoint", ignore_errors=True)
        (record.folder / "best.safetensors").unlink(missing_ok=True)
