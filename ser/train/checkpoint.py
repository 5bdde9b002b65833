"""Checkpoints: weights in safetensors beside the optimiser's state, whole or not there."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import nn

from ser.base.errors import SerError
from ser.base.files import digest_file, read_json, sync, whole_folder, write_json

STATE_FILES = ("model.safetensors", "optimizer.pt")


@dataclass
class Progress:
    """Where a run stands.

    Attributes:
        epoch: Epoch under way, from 0.
        step_in_epoch: Optimiser steps done in it.
        step: Optimiser steps done in all.
        sums: Sums of the losses and the like over the epoch so far.
        seconds: Time of all steps so far, interruptions left out.
        best: Best value of the selection metric so far.
        log_bytes: Length of ``train.jsonl`` at this point; a resumed run cuts it there.
    """

    epoch: int = 0
    step_in_epoch: int = 0
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    best: float | None = None
    log_bytes: int = 0


def save_weights(path: Path, model: nn.Module) -> None:
    """Writes a model's weights, never seen half-written."""
    partial = path.with_name(f".{path.name}.partial")
    safetensors.torch.save_file(model.state_dict(), partial)
    sync(partial)
    partial.replace(path)


def load_weights(path: Path) -> dict[str, torch.Tensor]:
    """Reads weights.

    Raises:
        SerError: The file is missing, was cut, or is no safetensors file.
    """
    try:
        return safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise SerError(
            f"{path}: no readable weights ({error}); expected safetensors; rerun the training"
        ) from error


def save_checkpoint(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress
) -> None:
    """Replaces the checkpoint; the previous one stays until this one is whole."""
    state: dict[str, Any] = {"optimizer": optimizer.state_dict(), "rng": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda_rng"] = torch.cuda.get_rng_state_all()
    with whole_folder(folder) as partial:
        save_weights(partial / "model.safetensors", model)
        torch.save(state, partial / "optimizer.pt")
        digests = {name: digest_file(partial / name) for name in STATE_FILES}
        write_json(
            partial / "progress.json",
            {"progress": dataclasses.asdict(progress), "digests": digests},
        )


def load_checkpoint(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer
) -> Progress | None:
    """Restores model, optimiser and random state.

    Returns:
        Where the run stood, or None where there is no checkpoint.

    Raises:
        SerError: The checkpoint is damaged.
    """
    # Between the two renames of a replacement the previous checkpoint bears this name.
    previous = folder.with_name(f".{folder.name}.old")
    if not folder.exists() and previous.exists():
        previous.replace(folder)
    if not folder.exists():
        return None
    stored = read_json(folder / "progress.json")
    for name, digest in stored["digests"].items():
        if not (folder / name).exists() or digest_file(folder / name) != digest:
            raise SerError(
                f"{folder / name}: not what was written (SHA-256 differs); the file was damaged; "
                f"remove {folder} to train from the start"
            )
    model.load_state_dict(load_weights(folder / "model.safetensors"))
    state = torch.load(folder / "optimizer.pt", weights_only=True)
    optimizer.load_state_dict(state["optimizer"])
    torch.set_rng_state(state["rng"])
    if torch.cuda.is_available() and "cuda_rng" in state:
        torch.cuda.set_rng_state_all(state["cuda_rng"])
    return Progress(**stored["progress"])
