"""What every encoder is: a front end that makes frames, and Transformer blocks over them.

The emotion model puts its vector x_e between the two, so an encoder knows nothing of emotions. A
new encoder is a subclass with its own front end, a section in ``ser/config/network.py`` with the
properties that ``WhisperConfig`` has, and a line in ``ser/nn/encoders.py``. Published weights are
read in ``ser/train/published.py``; other features are a definition in ``ser/feats/definitions.py``.
Other blocks, as a Conformer's, are a subclass of ``EncoderBlock``: override ``_make_blocks``, and
keep x_e, at position 0, out of convolutions over frames.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.functional import dropout

from ser.config.network import EncoderConfig
from ser.nn.attention import SelfAttention


class FeedForward(nn.Sequential):
    """Linear, ReLU or GELU, dropout, linear."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__(
            nn.Linear(config.d_model, config.ffn_dim),
            nn.ReLU() if config.activation == "relu" else nn.GELU(),
            nn.Dropout(config.dropout_prob),
            nn.Linear(config.ffn_dim, config.d_model),
        )


class ResidualSum(nn.Module):
    """x + dropout(y): what a sublayer gives, added to what it was given."""

    def __init__(self, dropout_prob: float) -> None:
        super().__init__()
        self.dropout_prob = dropout_prob

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Two of one shape -> the same shape."""
        return x + dropout(y, self.dropout_prob, self.training)


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
        self.add = ResidualSum(config.dropout_prob)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(B, S, D) and its mask (B, S) -> (B, S, D)."""
        if self.post_norm:
            x = self.attention_norm(self.add(x, self.attention(x, mask)))
            x = self.feed_forward_norm(self.add(x, self.feed_forward(x)))
        else:
            x = self.add(x, self.attention(self.attention_norm(x), mask))
            x = self.add(x, self.feed_forward(self.feed_forward_norm(x)))
        return x

    def attention_of_first(self, x: torch.Tensor) -> torch.Tensor:
        """How position 0 attends to all: (B, S, D), nothing padded -> (B, H, S)."""
        return self.attention.weights_of_first(x if self.post_norm else self.attention_norm(x))


class Encoder(nn.Module, ABC):
    """The contract of all encoders.

    Attributes:
        d_model: D.
        min_frames: Shorter utterances are padded with zeros to so many feature frames.
        frame_stride: Feature frames from one encoder frame to the next.
        blocks: Of ``EncoderBlock``.
    """

    min_frames: int
    frame_stride: int

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.d_model = config.d_model
        self.dropout = nn.Dropout(config.dropout_prob)

    def _make_blocks(self) -> None:
        """The blocks, after the front end: the order in which weights are drawn."""
        config = self.config
        self.blocks = nn.ModuleList(EncoderBlock(config) for _ in range(config.num_blocks))
        self.final_norm = (
            nn.LayerNorm(config.d_model) if config.layer_norm == "pre" else nn.Identity()
        )

    @abstractmethod
    def frame_lens(self, feat_lens: torch.Tensor) -> torch.Tensor:
        """Encoder frames S of each utterance."""

    @abstractmethod
    def frames(
        self, feats: torch.Tensor, feat_lens: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The input of the first block, before its dropout.

        Args:
            feats: (B, T, F), zero beyond the lengths.
            feat_lens: (B,) frames.

        Returns:
            x_1..x_N with their positions (B, S, D), and their lengths (B,).
        """

    def layers(self, x: torch.Tensor, mask: torch.Tensor) -> list[torch.Tensor]:
        """The blocks over any vectors: eq. (4) and (6), with x_e among them eq. (5) and (7).

        Args:
            x: (B, S, D), of ``frames``.
            mask: (B, S) bool, True at real ones.

        Returns:
            The input of the first block, then what comes out of each, (B, S, D) all; the last has
            gone through the final norm of a pre-norm encoder.
        """
        outputs = [self.dropout(x)]
        for block in self.blocks:
            outputs.append(block(outputs[-1], mask))
        outputs[-1] = self.final_norm(outputs[-1])
        return outputs

    def attention_of_first(self, outputs: Sequence[torch.Tensor]) -> torch.Tensor:
        """How position 0 attends to all in the last block, eq. (1): (B, H, S).

        Args:
            outputs: Of ``layers``, nothing padded.
        """
        block = self.blocks[-1]
        assert isinstance(block, EncoderBlock)
        return block.attention_of_first(outputs[-2])

    def depth_below_heads(self, name: str) -> int:
        """How far a parameter lies below the top block, which is 0 as the heads are.

        The front end lies below all blocks.

        Args:
            name: The parameter's, without ``encoder.``.
        """
        part, _, rest = name.partition(".")
        if part == "blocks":
            return len(self.blocks) - 1 - int(rest.partition(".")[0])
        return 0 if part == "final_norm" else len(self.blocks)
