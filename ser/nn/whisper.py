"""Whisper's encoder (Radford et al., 2022), over the real frames of an utterance alone."""

import math

import torch
from torch import nn
from torch.nn.functional import gelu

from ser.config.network import WhisperConfig
from ser.nn.encoder_base import Encoder
from ser.nn.mask import length_mask


class WhisperEncoder(Encoder):
    """Two convolutions over time, sinusoids, pre-norm blocks: encoder frames of 20 ms.

    The published one always sees 30 s, most of them silence; this one sees what is there. Its
    positions are sinusoids, so that longer utterances have theirs too.
    """

    min_frames = 1
    frame_stride = 2

    def __init__(self, config: WhisperConfig) -> None:
        super().__init__(config)
        self.conv1 = nn.Conv1d(config.num_mel_bins, config.d_model, kernel_size=3, padding=1)
        self.conv2 = nn.Conv1d(config.d_model, config.d_model, kernel_size=3, stride=2, padding=1)
        self._make_blocks()

    def frame_lens(self, feat_lens: torch.Tensor) -> torch.Tensor:
        """Encoder frames S of each utterance: half as many, rounded up."""
        return (feat_lens + 1) // 2

    def frames(
        self, feats: torch.Tensor, feat_lens: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """As published; what lies beyond an utterance is zero to both convolutions."""
        h = gelu(self.conv1(feats.transpose(1, 2)))  # (B, D, T)
        h = h * length_mask(feat_lens, h.shape[2])[:, None]
        x = gelu(self.conv2(h)).transpose(1, 2)  # (B, S, D)
        return x + positions(x.shape[1], self.d_model, x.device), self.frame_lens(feat_lens)


def positions(size: int, d_model: int, device: torch.device | None = None) -> torch.Tensor:
    """Whisper's position embedding: all sines, then all cosines: (size, d_model) float32."""
    half = d_model // 2
    rates = torch.exp(-math.log(10000.0) / (half - 1) * torch.arange(half, device=device))
    angles = torch.arange(size, dtype=torch.float32, device=device)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)
