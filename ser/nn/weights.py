"""Weights: how many, and in files, as safetensors alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import safetensors.torch
import torch
from torch import nn

from ser.base.files import parsing, regular_size
from ser.base.writing import atomic_file, not_written, readable_by_umask


def count_parameters(model: nn.Module) -> int:
    """Parameters of a model; it may live on the meta device."""
    return sum(p.numel() for p in model.parameters())


def load_weights(path: Path, remedy: str = "rerun the training") -> dict[str, torch.Tensor]:
    """Reads weights.

    Args:
        path: The file.
        remedy: What to do where it is unreadable.

    Raises:
        SerError: The file is missing, was cut, or is no safetensors file.
    """
    with parsing(path, "no readable weights", f"expected safetensors; {remedy}"):
        regular_size(path)
        tensors: dict[str, torch.Tensor] = safetensors.torch.load_file(path)
    return tensors


def same_in_all(sets: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """The weights that several sets have alike, bit for bit; none of a single set."""
    first, *others = sets
    if not others:
        return {}
    return {
        name: tensor
        for name, tensor in first.items()
        if all(torch.equal(tensor, other[name]) for other in others)
    }


def save_weights(path: Path, weights: Mapping[str, torch.Tensor]) -> None:
    """Writes weights, never seen half-written.

    Raises:
        SerError: The disk is full, or is not writable.
    """
    contiguous = {name: tensor.contiguous() for name, tensor in weights.items()}
    with atomic_file(path) as partial:
        try:
            with readable_by_umask(partial):
                safetensors.torch.save_file(contiguous, partial)
        except safetensors.SafetensorError as error:
            raise not_written(path, error) from error


def misfits(wanted: Mapping[str, torch.Size], given: Mapping[str, torch.Tensor]) -> list[str]:
    """Each weight that is missing, is left over, or has another shape, with what is wrong."""
    wrong = [f"{name} is missing" for name in wanted.keys() - given.keys()]
    wrong += [f"{name} is left over" for name in given.keys() - wanted.keys()]
    return wrong + [
        f"{name} is {tuple(given[name].shape)}, expected {tuple(wanted[name])}"
        for name in wanted.keys() & given.keys()
        if given[name].shape != wanted[name]
    ]
