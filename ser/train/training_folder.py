"""The folder of one training run: claimed, trained in, logged, finished, tidied.

The launcher tidies folders too and has no use for PyTorch, so it is not imported here. Before
``run.sh`` begins, ``ser.doctor.earlier_stages`` looks for runs of another configuration.
"""

import os
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser.base.errors import SerError, reason_of
from ser.base.files import digest_file
from ser.base.log import log_to_file, logger
from ser.base.paths import CURVE
from ser.base.record import Record, Stage, TrainingStarted, first_difference, read_started
from ser.base.writing import sole_run, write_json

if TYPE_CHECKING:
    from ser.train.engine.distributed import Distributed


def as_begun(record: Record) -> Record:
    """The record of a training run, or that of the run in its folder where these are the same run.

    The same run may have begun with other values of what says how it is carried out, and with its
    inputs by other paths to the same folders.
    """
    with suppress(SerError):  # of a record that is missing or damaged, which ``claim`` tells
        begun = read_started(record.folder)
        if not _difference(begun, record):
            return replace(record, config=begun["config"], inputs=begun["inputs"])
    return record


def _difference(begun: TrainingStarted, record: Record) -> str:
    def by_place(inputs: Mapping[str, str]) -> dict[str, str]:
        return {os.path.relpath(os.path.realpath(path)): made for path, made in inputs.items()}

    then = {"config": begun["config"], "inputs": by_place(begun["inputs"])}
    return first_difference(then, {"config": record.config, "inputs": by_place(record.inputs)})


def train_in_folder(
    record: Record,
    world: "Distributed",
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
    record = replace(record, started=time.time())  # it may have waited for others since
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
                raise _explained(record, world, error) from error
        # The others wait: what they do next may begin with these weights.
        world.on_first(lambda: _finish(record, notes, begun, world.size))


def _finish(record: Record, notes: Mapping[str, Any], num_threads: int, num_processes: int) -> None:
    """Declares a training run finished."""
    told = {**notes, "num_threads": num_threads, "num_processes": num_processes}
    told["curve"] = digest_file(record.folder / CURVE)  # what the report shows of it
    if record.stage == Stage.PRETRAIN:
        told["weights"] = digest_file(record.folder / "model.safetensors")
    record.finish(**told)
    tidy_training_folder(record.folder)


def _explained(record: Record, world: "Distributed", error: RuntimeError) -> Exception:
    """What torch.compile says, or an exchange whose other side has gone; others as they are."""
    reason = reason_of(error)
    is_of_compiler = type(error).__module__.startswith(("torch._inductor", "torch._dynamo"))
    if is_of_compiler and any(word in reason for word in ("CxxCompiler", "Triton")):
        return world.error(
            f"{record.folder}: training.compile: PyTorch could not compile the network ({reason}); "
            "expected a C++ compiler, and on a GPU Triton; install it, or write compile: false"
        )
    if world.size == 1 or not any(word in reason for word in ("gloo", "NCCL", "Connection")):
        return error
    return SerError(
        f"{record.folder}: another of the {world.size} processes ended ({reason}); expected all to "
        "go on; see what it said, and rerun: the run goes on from its last checkpoint"
    )


def has_begun(folder: Path) -> bool:
    """Whether training has begun in a folder, if only that of the head."""
    parts = folder, folder / "head"
    return any((part / name).exists() for part in parts for name in (CURVE, "checkpoint"))


def _move_aside(folder: Path, held: str, force: bool) -> None:
    """Makes room for a new run, by ``force`` where training began in the folder."""
    if not force and has_begun(folder):
        raise SerError(f"{folder}: holds {held}; --force moves it aside and starts anew")
    aside = folder.with_name(f"{folder.name}.{time.strftime('%Y%m%d-%H%M%S')}")
    folder.rename(aside)
    logger.warning("%s: moved aside to %s", folder, aside)


def tidy_training_folder(folder: Path) -> None:
    """Removes what a finished training run no longer needs; a kill may have left it."""
    for part in (folder, folder / "head"):  # the training of the head alone lies in its own
        for name in ("checkpoint", ".checkpoint.old", ".checkpoint.partial", "epochs"):
            shutil.rmtree(part / name, ignore_errors=True)
    (folder / "head" / "model.safetensors").unlink(missing_ok=True)


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
    if started.exists():
        previous = read_started(record.folder)
        if previous["identity"] == record.identity:
            return previous.get("num_threads", num_threads)
        _move_aside(record.folder, f"another run ({_difference(previous, record)})", force)
    elif has_begun(record.folder):
        _move_aside(record.folder, "a run of unknown settings (no started.json)", force)
    record.folder.mkdir(parents=True, exist_ok=True)
    now = {"identity": record.identity, "config": record.config, "inputs": record.inputs}
    write_json(started, {**now, "num_threads": num_threads})
    return num_threads
