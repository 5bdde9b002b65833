"""Claims the folder of a training run for it: resumed, refused or moved aside; tidied at the end.

The launcher tidies folders too and has no use for PyTorch, so it is not imported here.
"""

import shutil
import time
from pathlib import Path

from ser.base.errors import SerError
from ser.base.log import logger
from ser.base.record import Record, first_difference, read_started
from ser.base.writing import write_json


def _has_begun(folder: Path) -> bool:
    return any((folder / name).exists() for name in ("train.jsonl", "checkpoint"))


def _move_aside(folder: Path, held: str, force: bool) -> None:
    """Makes room for a new run, by ``force`` where training began in the folder."""
    if not force and _has_begun(folder):
        raise SerError(f"{folder}: holds {held}; --force moves it aside and starts anew")
    aside = folder.with_name(f"{folder.name}.{time.strftime('%Y%m%d-%H%M%S')}")
    folder.rename(aside)
    logger.warning("%s: moved aside to %s", folder, aside)


def tidy_training_folder(folder: Path) -> None:
    """Removes what a finished training run no longer needs; a kill may have left it."""
    for part in (folder, folder / "head"):  # the training of the head alone lies in its own
        for name in ("checkpoint", ".checkpoint.old", ".checkpoint.partial", "epochs"):
            shutil.rmtree(part / name, ignore_errors=True)


def claim_training_folder(record: Record, num_threads: int, force: bool) -> int | None:
    """Decides what a training run may do with its folder.

    Args:
        record: What the run is made from.
        num_threads: Threads of a new run.
        force: Whether another run in the folder is moved aside.

    Returns:
        The threads to train with, from the start or from a checkpoint: the number that the run
        began with; None where the finished run is there already.

    Raises:
        SerError: The folder holds a run with another configuration or inputs, or that does not say
            with which, and ``force`` was not given; with it that run is moved aside.
    """
    if record.is_finished():
        logger.info("%s: finished already, with the same inputs", record.folder)
        tidy_training_folder(record.folder)
        return None
    started = record.folder / "started.json"
    now = {"config": record.config, "inputs": record.inputs}
    if started.exists():
        previous = read_started(record.folder)
        if previous["identity"] == record.identity:
            return previous.get("num_threads", num_threads)
        then = {"config": previous["config"], "inputs": previous["inputs"]}
        _move_aside(record.folder, f"another run ({first_difference(then, now)})", force)
    elif _has_begun(record.folder):
        _move_aside(record.folder, "a run of unknown settings (no started.json)", force)
    record.folder.mkdir(parents=True, exist_ok=True)
    write_json(started, {"identity": record.identity, **now, "num_threads": num_threads})
    return num_threads
