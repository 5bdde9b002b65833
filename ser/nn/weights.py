"""Weights from a file."""

from pathlib import Path

import safetensors.torch
import torch

from ser.base.files import parsing, regular_size


def read_tensors(path: Path, remedy: str) -> dict[str, torch.Tensor]:
    """Reads safetensors.

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
