"""Convolutions over the encoder's frames, in front of the CTC head."""

from collections.abc import Sequence

import torch
from torch import nn

from ser.nn.mask import length_mask


class FrameConvolutions(nn.Module):
    """Each (B, S, D) -> (B, S, D), then GELU; without any the frames stay as they are (the paper).

    Whisper's encoder was trained for a decoder that attends to all its frames. A linear CTC head
    makes little of one frame; with its neighbours it makes more.

    Attributes:
        macs_a_frame: Multiply-adds.
        activations_a_frame: Values kept for the backward pass, each layer's input and output.

    Args:
        d_model: D.
        kernel_sizes: Frames of each kernel, odd.
    """

    def __init__(self, d_model: int, kernel_sizes: Sequence[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv1d(d_model, d_model, size, padding=size // 2) for size in kernel_sizes
        )
        self.macs_a_frame = d_model**2 * sum(kernel_sizes)
        self.activations_a_frame = 2 * d_model * len(kernel_sizes)

    def forward(self, z: torch.Tensor, frame_lens: torch.Tensor) -> torch.Tensor:
        """(B, S, D), (B,) -> (B, S, D). Frames beyond the lengths are read as zeros."""
        for layer in self.layers:
            z = z.masked_fill(~length_mask(frame_lens, z.shape[1])[..., None], 0.0)
            z = nn.functional.gelu(layer(z.transpose(1, 2))).transpose(1, 2)
        return z
