"""Checkpoints: weights in safetensors beside the optimiser's state, whole or not there."""

import dataclasses
import pickle
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, NotRequired

import torch
from pydantic import ConfigDict, Field, TypeAdapter
from torch import nn
from typing_extensions import TypedDict

from ser.base.errors import SerError
from ser.base.files import digest_file, parsing, read_json_as
from ser.base.writing import atomic_folder, not_written, write_json
from ser.config.schema import TrainingConfig
from ser.nn.weights import load_weights, misfits, save_weights

Whole = Annotated[int, Field(ge=0, le=1 << 53)]
STATE_FILES = ("model.safetensors", "optimizer.pt")


@dataclass
class Progress:
    """Where a run stands. No random state is among it: each step seeds its own.

    Attributes:
        epoch: Epoch under way, from 0.
        step_in_epoch: Optimiser steps done in it.
        step: Optimiser steps done in all.
        sums: Sums of the losses and the like over the epoch so far.
        seconds: Time of all steps so far, interruptions left out.
        selection_score: How good each epoch so far was, by what the run selects on.
        log_bytes: Length of ``train.jsonl`` at this point; a resumed run cuts it there.
        num_processes: How many trained together.
        max_frames_in_memory: Of their micro-batches; None in checkpoints of earlier versions.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    epoch: Whole = 0
    step_in_epoch: Whole = 0
    step: Whole = 0
    sums: dict[str, float] = field(default_factory=dict)
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    selection_score: list[float] = field(default_factory=list)
    log_bytes: Whole = 0
    num_processes: Annotated[int, Field(ge=1, le=1 << 16)] = 1
    max_frames_in_memory: Annotated[int, Field(ge=1)] | None = None

    def go_on(self, num_processes: int, max_frames_in_memory: int) -> str:
        """Notes how the run goes on: what is otherwise than it was, in words; else empty."""
        changes = []
        if self.num_processes != num_processes:
            changes.append(f"by {self.num_processes} processes, goes on with {num_processes}")
        if self.max_frames_in_memory not in (None, max_frames_in_memory):
            before = self.max_frames_in_memory
            said = f"with max_frames_in_memory {before}, goes on with {max_frames_in_memory}"
            changes.append(said)
        self.num_processes, self.max_frames_in_memory = num_processes, max_frames_in_memory
        return " and ".join(changes)


class _Stored(TypedDict):
    """``progress.json``."""

    progress: dict[str, Any]
    digests: dict[str, str]
    identity: NotRequired[str]  # of the run; version 0.1.0 wrote none


def is_due(training: TrainingConfig, step: int, saved: float) -> bool:
    """Whether a checkpoint is written after a step.

    Asked where ``Trainer`` reads the loss: on a GPU every tenth step, and at ``checkpoint_steps``.

    Args:
        training: How many steps or minutes may pass.
        step: Optimiser steps done in all.
        saved: ``time.monotonic()`` of the last one.
    """
    every = training.checkpoint_steps
    if every and step % every == 0:
        return True
    return time.monotonic() - saved > 60 * training.checkpoint_minutes


def save_checkpoint(
    folder: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    identity: str = "",
) -> None:
    """Replaces the checkpoint; the previous one stays until this one is whole.

    Raises:
        SerError: The disk is full, or is not writable.
    """
    with atomic_folder(folder, "progress.json") as partial:
        save_weights(partial / "model.safetensors", model.state_dict())
        try:
            torch.save(optimizer.state_dict(), partial / "optimizer.pt")
        except RuntimeError as error:  # PyTorch's writer does not say OSError
            raise not_written(folder / "optimizer.pt", error) from error
        digests = {name: digest_file(partial / name) for name in STATE_FILES}
        write_json(
            partial / "progress.json",
            {
                "progress": dataclasses.asdict(progress),
                "digests": digests,
                "identity": identity,
            },
        )


def load_checkpoint(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, identity: str = ""
) -> Progress | None:
    """Restores model and optimiser.

    Returns:
        Where the run stood, or None where there is no checkpoint.

    Raises:
        SerError: The checkpoint is damaged, or belongs to another model or run.
    """
    if not folder.exists():
        return None
    remedy = f"remove {folder} to train from the start"
    stored = read_json_as(folder / "progress.json", _Stored, "a checkpoint", remedy)
    for name in STATE_FILES:
        path = folder / name
        if not path.is_file() or digest_file(path) != stored["digests"].get(name):
            raise SerError(
                f"{path}: not what was written (SHA-256 differs); the file was damaged; {remedy}"
            )
    if stored.get("identity", identity) != identity:
        raise SerError(
            f"{folder}: the checkpoint of another run (another fold, seed or configuration); "
            f"expected that of this folder; put it back, or {remedy}"
        )
    weights = load_weights(folder / "model.safetensors")
    own = {name: tensor.shape for name, tensor in model.state_dict().items()}
    if wrong := misfits(own, weights):
        raise SerError(f"{folder}: holds another model: {min(wrong)}; {remedy}")
    model.load_state_dict(weights)
    with parsing(folder / "optimizer.pt", "does not fit this optimiser", remedy):
        _load_optimizer(optimizer, folder / "optimizer.pt")
    with parsing(folder / "progress.json", "not the progress of a training", remedy):
        progress = stored["progress"]
        if "goodness" in progress:  # of version 0.1.0
            progress["selection_score"] = progress.pop("goodness")
        return TypeAdapter(Progress).validate_python(progress)


def _load_optimizer(optimizer: torch.optim.Optimizer, path: Path) -> None:
    """Nothing of the file is executed; PyTorch itself does not look at the shapes."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)  # the optimiser moves it
    except pickle.UnpicklingError as error:  # PyTorch advises how to run what is in it
        raise ValueError("it holds more than tensors and numbers, or was cut") from error
    optimizer.load_state_dict(state)
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, torch.Tensor) and value.dim() and value.shape != parameter.shape:
                raise ValueError(
                    f"{name} is {tuple(value.shape)}, its parameter {tuple(parameter.shape)}"
                )
