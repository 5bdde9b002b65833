"""The Transformer encoder of the paper (section 2): convolutions, positions, blocks."""

import math

import torch
from torch import nn

from ser.config.network import TransformerConfig
from ser.nn.encoder_base import Encoder
from ser.nn.mask import padded_to
from ser.nn.subsampling import ConvSubsampling


class TransformerEncoder(Encoder):
    """Log-mel features to encoder frames of 60 ms."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(config)
        self.subsampling = ConvSubsampling(config.subsampling, config.num_mel_bins, config.d_model)
        self.min_frames = self.subsampling.min_frames
        self.frame_stride = math.prod(config.subsampling.strides)
        self._make_blocks()
        initialise(self, config)

    def frame_lens(self, feat_lens: torch.Tensor) -> torch.Tensor:
        """Encoder frames S of each utterance."""
        return self.subsampling.output_size(feat_lens.clamp(min=self.min_frames))

    def frames(
        self, feats: torch.Tensor, feat_lens: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The frames are scaled by the root of D, and the positions added."""
        x = self.subsampling(padded_to(feats, self.min_frames))  # (B, S, D)
        x = x * math.sqrt(self.d_model) + sinusoids(x.shape[1], self.d_model, x.device)
        return x, self.frame_lens(feat_lens)


def sinusoids(size: int, d_model: int, device: torch.device | None = None) -> torch.Tensor:
    """Fixed position embedding of Vaswani et al. (2017), section 3.5: (size, d_model) float32."""
    position = torch.arange(size, dtype=torch.float32, device=device)[:, None]
    exponents = torch.arange(0, d_model, 2, device=device) / d_model
    rates = torch.exp(exponents * -math.log(10000.0))
    angles = position * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)


def initialise(encoder: Encoder, config: TransformerConfig) -> None:
    """Xavier for the linear layers of the blocks; ``depth_scaled`` divides layer l by sqrt(l).

    W_Q, W_K and W_V are one matrix (3 D, D) to it, as in ``nn.MultiheadAttention``: their weights
    are smaller by sqrt(2) than those of each alone would be.
    Depth-scaled initialisation (Zhang et al., 2019) lets deep post-norm encoders converge.
    """
    for depth, block in enumerate(encoder.blocks, start=1):
        gain = 1.0 / math.sqrt(depth) if config.initialisation == "depth_scaled" else 1.0
        for module in block.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight, gain=gain)
                nn.init.zeros_(module.bias)
