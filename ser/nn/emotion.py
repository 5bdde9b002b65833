"""The proposed model (section 3.2, Fig. 2): a trainable vector in front of the encoder's input."""

import copy
from typing import NamedTuple

import torch
from torch import nn

from ser.base.arrays import Doubles
from ser.config.network import (
    PAPER_CTC_HEAD,
    PAPER_READOUT,
    CtcHeadConfig,
    EncoderConfig,
    ReadoutConfig,
)
from ser.feats.speaker_means import SpeakerMean
from ser.nn.ctc_head import CtcHead
from ser.nn.encoders import build_encoder
from ser.nn.mask import length_mask
from ser.nn.readout import build_readout, loud_frames


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

    With another readout than the paper's, what goes to the emotions is read from the frames.

    Attributes:
        min_frames: Shorter utterances are padded with zeros to so many feature frames.
        speaker_prior: Of ``ReadoutConfig``.
    """

    def __init__(
        self,
        config: EncoderConfig,
        num_emotions: int,
        vocab_size: int | None,
        readout: ReadoutConfig = PAPER_READOUT,
        head: CtcHeadConfig = PAPER_CTC_HEAD,
    ) -> None:
        super().__init__()
        self.encoder = build_encoder(config)
        self.min_frames = self.encoder.min_frames
        self.readout = build_readout(readout, config)
        self._least_loudness = readout.least_loudness
        self.speaker_prior = readout.speaker_prior
        self._training_mean: Doubles | None = None  # of a model for a speaker alone
        # Like one scaled input vector; it gets no position.
        self.emotion_embedding = (
            nn.Parameter(torch.randn(config.d_model)) if readout.needs_vector else None
        )
        self.emotion_head = nn.Linear(self.readout.size, num_emotions)
        self.ctc_head = None if vocab_size is None else CtcHead(config.d_model, vocab_size, head)

    def forward(
        self, feats: torch.Tensor, feat_lens: torch.Tensor, encoded: bool = False
    ) -> EmotionOutput:
        """The logits of a batch.

        Args:
            feats: (B, T, F), zero beyond the lengths; or what ``encode`` gives for it.
            feat_lens: (B,) frames.
            encoded: Whether it is that. Such a model has no CTC logits.
        """
        if encoded:
            return EmotionOutput(self._emotions(feats, feat_lens), None, feat_lens)
        outputs, frame_lens = self._layers(feats, feat_lens)
        hidden, lens = self._gather(outputs, feats, feat_lens, frame_lens)
        ctc_logits = None
        if self.ctc_head is not None:
            z = outputs[-1] if self.emotion_embedding is None else outputs[-1][:, 1:]
            ctc_logits = self.ctc_head(z, frame_lens)  # (B, S, V)
        return EmotionOutput(self._emotions(hidden, lens), ctc_logits, frame_lens)

    def encode(
        self, feats: torch.Tensor, feat_lens: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What the encoder alone decides: (B, S', W), and lengths (B,)."""
        outputs, frame_lens = self._layers(feats, feat_lens)
        return self._gather(outputs, feats, feat_lens, frame_lens)

    def training_mean(self) -> Doubles:
        """What was taken off in training, (W,); of a model with ``speaker_prior``."""
        if self._training_mean is not None:
            return self._training_mean
        offset: torch.Tensor = self.readout.get_buffer("offset")
        return offset.double().cpu().numpy()

    def for_speaker(self, mean: SpeakerMean) -> "EmotionModel":
        """A model that takes the mean of one speaker off instead. It shares all weights.

        Args:
            mean: Of what ``encode`` gives for turns of the speaker.
        """
        if not self.speaker_prior:
            raise ValueError("a model without speaker_prior; expected one with it")
        training_mean = self.training_mean()
        offset = mean.estimate(self.speaker_prior, training_mean)
        other = copy.copy(self)
        other._training_mean = training_mean
        other._modules = {**self._modules, "readout": copy.deepcopy(self.readout)}
        other.readout.get_buffer("offset").copy_(torch.from_numpy(offset))
        return other

    def attention_of_vector(self, feats: torch.Tensor, feat_lens: torch.Tensor) -> torch.Tensor:
        """How x_e attends in the last block: one utterance (1, T, F) -> (H, 1 + S), itself first.

        Only for a model whose readout needs the vector.
        """
        outputs, _ = self._layers(feats, feat_lens)
        return self.encoder.attention_of_first(outputs)[0]

    def _layers(
        self, feats: torch.Tensor, feat_lens: torch.Tensor
    ) -> tuple[list[torch.Tensor], torch.Tensor]:
        """The layers' outputs, x_e or z_e first where there is one; and the frames' lengths."""
        x, frame_lens = self.encoder.frames(feats, feat_lens)  # (B, S, D)
        mask = length_mask(frame_lens, x.shape[1])  # (B, S)
        if self.emotion_embedding is not None:
            first = self.emotion_embedding.to(x).expand(x.shape[0], 1, -1)
            x = torch.cat([first, x], dim=1)  # (B, 1 + S, D)
            mask = nn.functional.pad(mask, (1, 0), value=True)  # (B, 1 + S)
        return self.encoder.layers(x, mask), frame_lens

    def _gather(
        self,
        outputs: list[torch.Tensor],
        feats: torch.Tensor,
        feat_lens: torch.Tensor,
        frame_lens: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        pooled = length_mask(frame_lens, outputs[-1].shape[1] - self._num_extra)
        if self._least_loudness:
            stride = self.encoder.frame_stride
            pooled = loud_frames(feats, feat_lens, pooled, stride, self._least_loudness)
        return self.readout.gather(outputs, pooled)

    def _emotions(self, hidden: torch.Tensor, lens: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.emotion_head(self.readout(hidden, lens))  # (B, C)
        return logits

    @property
    def _num_extra(self) -> int:
        return 0 if self.emotion_embedding is None else 1
