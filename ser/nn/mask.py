"""Which frames of a padded batch are real."""

import torch


def length_mask(lens: torch.Tensor, size: int) -> torch.Tensor:
    """True where a frame lies within its utterance.

    Args:
        lens: (B,) lengths.
        size: Padded length L.

    Returns:
        (B, L) bool.
    """
    return torch.arange(size, device=lens.device) < lens[:, None]
