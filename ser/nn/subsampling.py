"""Front end: two strided convolutions and a projection (section 4.2): time and frequency / 6."""

from typing import TypeVar

import torch
from torch import nn

from ser.config.network import SubsamplingConfig

Length = TypeVar("Length", int, torch.Tensor)


class ConvSubsampling(nn.Module):
    """ReLU after each convolution, no padding; then a linear layer over channels x bands.

    Attributes:
        min_frames: Fewest feature frames that give one encoder frame.
    """

    def __init__(self, config: SubsamplingConfig, num_mel_bins: int, d_model: int) -> None:
        super().__init__()
        (k1, k2), (s1, s2) = config.kernel_sizes, config.strides
        self.kernel_sizes, self.strides = (k1, k2), (s1, s2)
        self.min_frames = (k2 - 1) * s1 + k1
        self.conv1 = nn.Conv2d(1, config.num_channels, k1, s1)
        self.conv2 = nn.Conv2d(config.num_channels, config.num_channels, k2, s2)
        self.projection = nn.Linear(config.num_channels * self.output_size(num_mel_bins), d_model)

    def output_size(self, size: Length) -> Length:
        """Frames (or bands) that come out; with the paper's sizes ((T - 1) // 2 - 2) // 3."""
        for kernel, stride in zip(self.kernel_sizes, self.strides, strict=True):
            size = (size - kernel) // stride + 1
        return size

    def forward(self, feats: torch.Tensor) -> torch.Tensor:
        """(B, T, F) -> (B, S, D), S by ``output_size``. T must reach ``min_frames``."""
        h = self.conv1(feats[:, None]).relu()  # (B, channels, ~T/2, ~F/2)
        h = self.conv2(h).relu()  # (B, channels, S, bands)
        h = h.transpose(1, 2).flatten(2)  # (B, S, channels * bands)
        out: torch.Tensor = self.projection(h)  # (B, S, D)
        return out
