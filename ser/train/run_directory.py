"""One training run in one folder: claimed, logged, finished, tidied."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

from ser.base.errors import SerError
from ser.base.files import digest_file
from ser.base.log import log_to_file, logger
from ser.base.paths import CURVE
from ser.base.record import Record
from ser.base.writing import sole_run
from ser.train.claim import claim_training_folder, tidy_training_folder
from ser.train.engine.distributed import Distributed


def train_in_folder(
    record: Record,
    world: Distributed,
    num_threads: int,
    force: bool,
    train: Callable[[int], Mapping[str, Any]],
) -> None:
    """Runs ``train`` in the record's folder unless the finished run is there already.

    The bits of a result depend on the number of threads: a run that goes on takes the number that
    it began with.

    Args:
        record: What the run is made from.
        world: The processes that train together; the first one writes.
        num_threads: Threads of a new run.
        force: Whether another run in the folder is moved aside.
        train: Trains with so many threads, and returns what the record should note.

    Raises:
        SerError: Another process writes there, the folder holds another run, or a process of this
            run has ended.
    """
    with sole_run(record.folder) if world.is_first else nullcontext():
        begun = world.on_first(lambda: claim_training_folder(record, num_threads, force))
        if begun is None:
            return
        if begun != num_threads:
            logger.info("%s: begun with %s threads, goes on so", record.folder, begun)
        log = record.folder / "train.log"
        logger.info("%s: log in %s", record.folder, log)
        with log_to_file(log) if world.is_first else nullcontext():
            try:
                notes = train(begun)
            except RuntimeError as error:
                raise _lost_process(record, world, error) from error
        if world.is_first:
            curve = digest_file(record.folder / CURVE)  # what the report shows of it
            record.finish(**notes, num_threads=begun, num_processes=world.size, curve=curve)
            tidy_training_folder(record.folder)


def _lost_process(record: Record, world: Distributed, error: RuntimeError) -> Exception:
    """What an exchange says whose other side has gone; any other error as it is."""
    reason = str(error).splitlines()[0]
    if world.size == 1 or not any(word in reason for word in ("gloo", "NCCL", "Connection")):
        return error
    return SerError(
        f"{record.folder}: another of the {world.size} processes ended ({reason}); expected all to "
        "go on; see what it said, and rerun: the run goes on from its last checkpoint"
    )
