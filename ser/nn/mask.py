"""Padded batches, and which of their frames are real."""

import torch
from torch import nn


def length_mask(lens: torch.Tensor, size: int) -> torch.Tensor:
    """True where a frame lies within its utterance.

    Args:
        lens: (B,) lengths.
        size: Padded length L.

    Returns:
        (B, L) bool.
    """
    return torch.arange(size, device=lens.device) < lens[:, None]


def padded_to(feats: torch.Tensor, min_frames: int) -> torch.Tensor:
    """Features (B, T, F) with zeros at the end, where T is below ``min_frames``."""
    lacking = min_frames - feats.shape[1]
    return nn.functional.pad(feats, (0, 0, 0, lacking)) if lacking > 0 else feats
