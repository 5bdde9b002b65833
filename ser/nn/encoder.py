"""The Transformer encoder of the paper (section 2): front end, positions, blocks."""

import math

import torch
from torch import nn

from ser.config.schema import EncoderConfig
from ser.nn.attention import SelfAttention
from ser.nn.fast import Linear, add_dropout, relu_dropout
from ser.nn.mask import length_mask
from ser.nn.subsampling import ConvSubsampling


class FeedForward(nn.Sequential):
    """Linear, ReLU, dropout, linear."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__(
            Linear(config.d_model, config.ffn_dim),
            nn.ReLU(),
            nn.Dropout(config.dropout_prob),
            Linear(config.ffn_dim, config.d_model),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, S, D) -> (B, S, D)."""
        inner, _, dropout, outer = self
        assert isinstance(dropout, nn.Dropout)
        out: torch.Tensor = outer(relu_dropout(inner(x), dropout))
        return out


class EncoderBlock(nn.Module):
    """Attention and feed-forward, each added to its input; layer norm after ("post") or before."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.post_norm = config.layer_norm == "post"
        self.attention = SelfAttention(
            config.d_model, config.num_heads, config.head_dim, config.attention_dropout_prob
        )
        self.feed_forward = FeedForward(config)
        self.attention_norm = nn.LayerNorm(config.d_model)
        self.feed_forward_norm = nn.LayerNorm(config.d_model)
        self.dropout = nn.Dropout(config.dropout_prob)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(B, S, D) and its mask (B, S) -> (B, S, D)."""
        if self.post_norm:
            x = self.attention_norm(add_dropout(x, self.attention(x, mask), self.dropout))
            x = self.feed_forward_norm(add_dropout(x, self.feed_forward(x), self.dropout))
        else:
            x = add_dropout(x, self.attention(self.attention_norm(x), mask), self.dropout)
            x = add_dropout(x, self.feed_forward(self.feed_forward_norm(x)), self.dropout)
        return x


class Encoder(nn.Module):
    """Log-mel features to encoder frames, with or without the emotion vector in front.

    Attributes:
        d_model: D.
        min_frames: Shorter utterances are padded with zeros to so many feature frames.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.d_model = config.d_model
        self.subsampling = ConvSubsampling(config.subsampling, config.num_mel_bins, config.d_model)
        self.min_frames = self.subsampling.min_frames
        self.dropout = nn.Dropout(config.dropout_prob)
        self.blocks = nn.ModuleList(EncoderBlock(config) for _ in range(config.num_blocks))
        self.final_norm = (
            nn.LayerNorm(config.d_model) if config.layer_norm == "pre" else nn.Identity()
        )
        initialise(self, config)

    def frame_lens(self, feat_lens: torch.Tensor) -> torch.Tensor:
        """Encoder frames S of each utterance."""
        return self.subsampling.output_size(feat_lens.clamp(min=self.min_frames))

    def forward(
        self, feats: torch.Tensor, feat_lens: torch.Tensor, first: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Eq. (4) and (6); with ``first`` eq. (5) and (7).

        The positions of x_1..x_N are the same with and without ``first``, which gets none.

        Args:
            feats: (B, T, F), zero beyond the lengths.
            feat_lens: (B,) frames.
            first: x_e (D,), put in front of every utterance.

        Returns:
            z (B, S, D), or with ``first`` (B, 1 + S, D) whose first vector is z_e; and the
            lengths (B,) of z_1..z_N.
        """
        lacking = self.min_frames - feats.shape[1]
        if lacking > 0:
            feats = nn.functional.pad(feats, (0, 0, 0, lacking))
        frame_lens = self.frame_lens(feat_lens)
        x = self.subsampling(feats)  # (B, S, D)
        x = x * math.sqrt(self.d_model) + sinusoids(x.shape[1], self.d_model, x.device)
        mask = length_mask(frame_lens, x.shape[1])  # (B, S)
        if first is not None:
            x = torch.cat([first.to(x).expand(x.shape[0], 1, -1), x], dim=1)  # (B, 1 + S, D)
            mask = nn.functional.pad(mask, (1, 0), value=True)  # (B, 1 + S)
        x = self.dropout(x)
        for block in self.blocks:
            x = block(x, mask)
        return self.final_norm(x), frame_lens


def sinusoids(size: int, d_model: int, device: torch.device | None = None) -> torch.Tensor:
    """Fixed position embedding of Vaswani et al. (2017), section 3.5: (size, d_model) float32."""
    position = torch.arange(size, dtype=torch.float32, device=device)[:, None]
    exponents = torch.arange(0, d_model, 2, device=device) / d_model
    rates = torch.exp(exponents * -math.log(10000.0))
    angles = position * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)


def initialise(encoder: Encoder, config: EncoderConfig) -> None:
    """Xavier for the linear layers of the blocks; ``depth_scaled`` divides layer l by sqrt(l).

    Depth-scaled initialisation (Zhang et al., 2019) lets deep post-norm encoders converge.
    """
    for depth, block in enumerate(encoder.blocks, start=1):
        gain = 1.0 / math.sqrt(depth) if config.initialisation == "depth_scaled" else 1.0
        for module in block.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight, gain=gain)
                nn.init.zeros_(module.bias)
