"""Run records: what made a folder, so that reruns are safe and stale inputs are noticed.

Each stage writes ``run.json`` last. It holds the resolved configuration, digests of the inputs,
the git commit, the versions, the command and the wall time. The *identity* of a folder is the
digest of its configuration and of the identities of its inputs, to which the weights of an encoder
that was trained belong: a folder is stale when an input's identity is no longer the one it was made
from; the git commit never makes it stale. A folder in which one of the *outputs*, the files that
the stage wrote, is lost or changed is not finished.
"""

import datetime
import os
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from ser.base.environment import git_commit, versions
from ser.base.errors import SerError
from ser.base.files import digest_json, read_json_as
from ser.base.log import logger
from ser.base.outputs import faults, outputs_in, seal
from ser.base.writing import write_json

MAX_THREADS = 4096
# Keys of a training's configuration that say how it is carried out, not what is trained. Of
# max_frames_in_memory the result depends as of the machine: in its rounding, and in what dropout
# draws. Of the others it does not depend.
OF_THE_MACHINE = (
    "checkpoint_minutes",
    "checkpoint_steps",
    "max_frames_in_memory",
    "num_loader_workers",
)


class Stage(IntEnum):
    """The stages of ``run.sh``, by what they make."""

    DATA = 0
    FEATURES = 1
    BPE = 2
    PRETRAIN = 3
    FINETUNE = 4
    PREDICT = 5
    SCORE = 6


def rerun_hint(stage: int, folder: Path = Path()) -> str:
    """The command that makes a stage's output anew, in the recipe that a folder belongs to.

    For the recipe that runs it has that call's options (``SER_RUN_OPTIONS``, of tools/recipe.sh).
    """
    recipe = recipe_of(folder)
    if recipe.resolve() != Path.cwd():  # which may not have been run as far as that
        return f"cd {shlex.quote(str(recipe))} && ./run.sh --stop-stage {stage}"
    options = os.environ.get("SER_RUN_OPTIONS", " (with the options of the experiment)")
    return f"./run.sh --stage {stage} --stop-stage {stage}{options}"


def recipe_of(folder: Path) -> Path:
    """The recipe that a folder lies in, else the current folder: what its inputs are named from."""
    return next((path for path in folder.parents if (path / "run.sh").exists()), Path())


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """``{"a": {"b": 1}}`` as ``{"a.b": 1}``."""
    if not isinstance(value, Mapping) or (prefix and not value):
        return {prefix: value}
    flat: dict[str, Any] = {}
    for key, item in value.items():
        flat |= flatten(item, f"{prefix}.{key}" if prefix else str(key))
    return flat


def first_difference(old: Any, new: Any) -> str:
    """The first dotted key in which two configurations differ, with both values; else empty.

    How a training is carried out makes no difference.
    """
    flat_old, flat_new = flatten(old), flatten(new)
    for key in sorted(flat_old.keys() | flat_new.keys()):
        before, after = flat_old.get(key, "absent"), flat_new.get(key, "absent")
        if before != after and key.rpartition(".")[2] not in OF_THE_MACHINE:
            return f"{key} was {before} and is {after}"
    return ""


@dataclass(frozen=True)
class Record:
    """What a folder is to be made from.

    Attributes:
        folder: The folder that the stage writes.
        stage: The number of the stage, for messages.
        config: The resolved configuration, as plain JSON values.
        inputs: Identity of each input, by path.
    """

    folder: Path
    stage: int
    config: Mapping[str, Any]
    inputs: Mapping[str, str]
    started: float = field(default_factory=time.time)

    @property
    def identity(self) -> str:
        """Digest of configuration and inputs."""
        return digest_json({"config": self.config, "inputs": self.inputs})

    def is_finished(self) -> bool:
        """Whether the folder is whole, made from these very inputs, and as it was written."""
        record = earlier_record(self.folder)
        if record is None or record["identity"] != self.identity:
            return False
        wrong = faults(self.folder, record.get("outputs", {}))
        if wrong:
            logger.warning(
                "%s: %s; expected what stage %s wrote",
                *(self.folder, "; ".join(wrong), self.stage),
            )
        return not wrong

    def finish(self, outputs: Sequence[Path] | None = None, **notes: Any) -> None:
        """Declares the folder whole; call it last.

        Args:
            outputs: Files below the folder that must stay as they are; all files in it by default.
            notes: What else the record says.
        """
        write_json(
            self.folder / "run.json",
            {
                "identity": self.identity,
                "stage": self.stage,
                "config": self.config,
                "inputs": self.inputs,
                "outputs": seal(
                    self.folder, outputs_in(self.folder) if outputs is None else outputs
                ),
                "notes": notes,
                "git_commit": git_commit(),
                "versions": versions(),
                "command": shlex.join([Path(sys.argv[0]).stem, *sys.argv[1:]]),
                "finished": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
                "wall_seconds": round(time.time() - self.started, 1),
            },
        )


class Sealed(TypedDict):
    """What ``outputs.seal`` says of a file."""

    bytes: int
    sha256: str
    sample: NotRequired[str]


class StageRecord(TypedDict):
    """What is read of a ``run.json`` later."""

    identity: str
    stage: int
    config: dict[str, Any]
    inputs: dict[str, str]
    outputs: NotRequired[dict[str, Sealed]]
    notes: dict[str, Any]


class Started(TypedDict):
    """What is read of a ``started.json`` later."""

    identity: str


class TrainingStarted(Started):
    """That of a training run; an older one knows no threads."""

    config: dict[str, Any]
    inputs: dict[str, str]
    num_threads: NotRequired[Annotated[int, Field(ge=1, le=MAX_THREADS)]]


def read_record(folder: Path) -> StageRecord:
    """The record of a finished folder.

    Raises:
        SerError: It is missing, or is not what ``Record.finish`` writes.
    """
    return read_json_as(folder / "run.json", StageRecord, "a stage last")


def earlier_record(folder: Path) -> StageRecord | None:
    """The record of a folder for the stage that may write it again; None where there is none.

    For one that was cut or edited it warns and returns None: the stage writes another.
    """
    if not (folder / "run.json").exists():
        return None
    try:
        return read_record(folder)
    except SerError as error:
        logger.warning("%s", error)
        return None


def identity_of(record: StageRecord) -> str:
    """What an input is known by: with what it was made from, the weights that training gave.

    Training again gives others where another machine, or another number of processes, rounds
    otherwise.
    """
    weights = record["notes"].get("weights")  # earlier versions noted none
    return digest_json([record["identity"], weights]) if weights else record["identity"]


def read_started(folder: Path) -> TrainingStarted:
    """What a training run in a folder began with.

    Raises:
        SerError: It is missing, or is not what ``claim_training_folder`` writes.
    """
    return read_json_as(folder / "started.json", TrainingStarted, "a training run first")


def require(folder: Path, stage: int) -> StageRecord:
    """The record of a finished folder that a later stage reads.

    Args:
        folder: The folder.
        stage: The stage that makes it.

    Raises:
        SerError: The folder is of another stage, is not whole or not as it was written, or it, or
            anything that it was made from, is stale.
    """
    path = folder / "run.json"
    if not path.exists():
        raise SerError(
            f"{folder}: not there or not whole (no run.json); expected the output of stage "
            f"{stage}; run {rerun_hint(stage, folder)}"
        )
    record = read_record(folder)
    if record["stage"] != stage:
        raise SerError(
            f"{folder}: of stage {record['stage']}; expected the output of stage {stage}; name that"
        )
    require_outputs(folder, record, stage)
    for name, identity in record["inputs"].items():
        upstream = recipe_of(folder) / name
        if (upstream / "run.json").exists():
            made = read_record(upstream)
            if identity_of(made) != identity:
                raise SerError(
                    f"{folder}: made from another {upstream} than the one that is there now; "
                    f"run {rerun_hint(stage, folder)}"
                )
            require(upstream, made["stage"])
    return record


def require_outputs(
    folder: Path, record: Mapping[str, Any], stage: int, whole: bool = False
) -> None:
    """Checks a finished folder's files against what its record says that the stage wrote.

    Args:
        folder: The folder.
        record: Its record.
        stage: The stage that makes it.
        whole: Whether large files are read whole.

    Raises:
        SerError: One is missing, or is another one.
    """
    if wrong := faults(folder, record.get("outputs", {}), whole):
        raise SerError(
            f"{folder}: {'; '.join(wrong)}; expected what stage {stage} wrote; run "
            f"{rerun_hint(stage, folder)}"
        )
