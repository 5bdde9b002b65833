"""Pre-training: the encoder as a CTC speech recogniser (section 3.1)."""

from itertools import groupby

import torch
from torch import nn

from ser.config.schema import EncoderConfig
from ser.nn.encoder import Encoder
from ser.nn.fast import Linear
from ser.text.bpe import BLANK_ID


class Recogniser(nn.Module):
    """Encoder and the linear layer to V tokens, id 0 the blank."""

    def __init__(self, config: EncoderConfig, vocab_size: int) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        self.ctc_head = Linear(config.d_model, vocab_size)

    def forward(
        self, feats: torch.Tensor, feat_lens: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, T, F), (B,) -> CTC logits (B, S, V) and their lengths (B,)."""
        z, frame_lens = self.encoder(feats, feat_lens)
        return self.ctc_head(z), frame_lens


def greedy_ctc(logits: torch.Tensor, frame_lens: torch.Tensor) -> list[list[int]]:
    """Best token a frame, repetitions merged, blanks removed: (B, S, V), (B,) -> B token lists."""
    best = logits.argmax(dim=-1).tolist()
    lens = frame_lens.tolist()
    return [
        [token for token, _ in groupby(frames[:size]) if token != BLANK_ID]
        for frames, size in zip(best, lens, strict=True)
    ]
