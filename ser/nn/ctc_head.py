"""The CTC head: from the frames of the encoder to scores of the tokens.

``ser.text.ctc`` decodes them.
"""

import torch
from torch import nn

from ser.config.network import PAPER_CTC_HEAD, CtcHeadConfig
from ser.nn.mask import length_mask


class CtcHead(nn.Module):
    """A linear layer from D to V tokens, and convolutions in front of it; the paper has none.

    Whisper's encoder was trained for a decoder that attends to all its frames. A linear layer makes
    little of one frame; with its neighbours it makes more.

    Args:
        d_model: D.
        vocab_size: V.
        config: The convolutions.
    """

    def __init__(
        self, d_model: int, vocab_size: int, config: CtcHeadConfig = PAPER_CTC_HEAD
    ) -> None:
        super().__init__()
        linear = nn.Linear(d_model, vocab_size)
        self.weight, self.bias = linear.weight, linear.bias
        self.convolutions = nn.ModuleList(
            nn.Conv1d(d_model, d_model, size, padding=size // 2) for size in config.kernel_sizes
        )

    def forward(self, z: torch.Tensor, frame_lens: torch.Tensor) -> torch.Tensor:
        """(B, S, D), (B,) -> logits (B, S, V). Frames beyond the lengths are read as zeros."""
        for convolution in self.convolutions:
            z = z.masked_fill(~length_mask(frame_lens, z.shape[1])[..., None], 0.0)
            z = nn.functional.gelu(convolution(z.transpose(1, 2))).transpose(1, 2)
        return self._linear(z)

    def _linear(self, z: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(z, self.weight, self.bias)
