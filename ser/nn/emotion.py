"""The proposed model (section 3.2, Fig. 2): a trainable vector in front of the encoder's input."""

from typing import NamedTuple

import torch
from torch import nn

from ser.config.schema import EncoderConfig
from ser.nn.encoder import Encoder
from ser.nn.fast import Linear


class EmotionOutput(NamedTuple):
    """What an emotion model gives for a batch.

    Attributes:
        emotion_logits: (B, C).
        ctc_logits: (B, S, V), or None for a model without CTC head.
        frame_lens: (B,) lengths of the CTC logits.
    """

    emotion_logits: torch.Tensor
    ctc_logits: torch.Tensor | None
    frame_lens: torch.Tensor


class EmotionModel(nn.Module):
    """Eq. (5) and (7): z_e to the emotions, z_1..z_N to the recogniser's tokens.

    Attributes:
        min_frames: Shorter utterances are padded with zeros to so many feature frames.
    """

    def __init__(self, config: EncoderConfig, num_emotions: int, vocab_size: int | None) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        self.min_frames = self.encoder.min_frames
        # Like one scaled input vector; it gets no position.
        self.emotion_embedding = nn.Parameter(torch.randn(config.d_model))
        self.emotion_head = nn.Linear(config.d_model, num_emotions)
        self.ctc_head = None if vocab_size is None else Linear(config.d_model, vocab_size)

    def forward(self, feats: torch.Tensor, feat_lens: torch.Tensor) -> EmotionOutput:
        """(B, T, F), zero beyond the lengths (B,)."""
        z, frame_lens = self.encoder(feats, feat_lens, first=self.emotion_embedding)
        emotion_logits = self.emotion_head(z[:, 0])  # (B, C)
        ctc_logits = None if self.ctc_head is None else self.ctc_head(z[:, 1:])  # (B, S, V)
        return EmotionOutput(emotion_logits, ctc_logits, frame_lens)
