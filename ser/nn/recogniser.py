"""Pre-training: the encoder as a CTC speech recogniser (section 3.1)."""

import torch
from torch import nn

from ser.config.network import PAPER_CTC_HEAD, CtcHeadConfig, EncoderConfig
from ser.nn.ctc_head import CtcHead
from ser.nn.encoders import build_encoder
from ser.nn.mask import length_mask
from ser.text.ctc import greedy_ctc


class Recogniser(nn.Module):
    """Encoder and the linear layer to V tokens, id 0 the blank.

    Args:
        config: The encoder.
        vocab_size: V.
        head: What stands between the encoder and the tokens.
    """

    def __init__(
        self, config: EncoderConfig, vocab_size: int, head: CtcHeadConfig = PAPER_CTC_HEAD
    ) -> None:
        super().__init__()
        self.encoder = build_encoder(config)
        self.ctc_head = CtcHead(config.d_model, vocab_size, head)

    def forward(
        self, feats: torch.Tensor, feat_lens: torch.Tensor, encoded: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """CTC logits (B, S, V) and their lengths (B,).

        Args:
            feats: (B, T, F), zero beyond the lengths; or what ``encode`` gives for it.
            feat_lens: (B,) frames.
            encoded: Whether it is that.
        """
        z, frame_lens = (feats, feat_lens) if encoded else self.encode(feats, feat_lens)
        return self.ctc_head(z, frame_lens), frame_lens

    def encode(
        self, feats: torch.Tensor, feat_lens: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Eq. (4) and (6): (B, T, F), (B,) -> z (B, S, D) and its lengths (B,)."""
        x, frame_lens = self.encoder.frames(feats, feat_lens)
        return self.encoder.layers(x, length_mask(frame_lens, x.shape[1]))[-1], frame_lens


def transcribe(logits: torch.Tensor, frame_lens: torch.Tensor) -> list[list[int]]:
    """The greedy transcripts: (B, S, V), (B,) -> B token lists."""
    best, lens = logits.argmax(dim=-1).tolist(), frame_lens.tolist()
    return [greedy_ctc(frames[:size]) for frames, size in zip(best, lens, strict=True)]
