"""How the emotions are read off the layers of an encoder.

The paper reads what comes out at its emotion vector after the last block. The alternatives: a
learned sum of what comes out at it after every block, since the middle ones may know more of
emotion than the last (SUPERB, Yang et al., 2021); or statistics of the frames, without the vector.
A new one is a subclass, a line in ``READOUTS``, and its name in ``ser/config/network.py``
(``ReadoutName``; also ``OF_VECTOR`` or ``STATISTICS`` where it is of these).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn.functional import layer_norm

from ser.config.network import EncoderConfig, ReadoutConfig
from ser.nn.losses import at_least_float32
from ser.nn.mask import length_mask

MIN_SD = 1e-3
SCORE_DIM = 64  # hidden units that score a frame


class Readout(nn.Module, ABC):
    """From the layers' outputs to one vector.

    Two steps: ``gather`` takes what is needed from the encoder and has no weights, so that where
    the encoder is frozen its result is computed once; ``forward`` makes the vector of it.

    Attributes:
        size: Of the vector.
    """

    size: int

    @abstractmethod
    def gather(
        self, outputs: Sequence[torch.Tensor], pooled: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What is needed of the encoder.

        Args:
            outputs: Of ``Encoder.layers``.
            pooled: (B, S) bool, True at the frames that may be pooled.

        Returns:
            (B, S', W) and lengths (B,).
        """


class EmotionVector(Readout):
    """z_e, eq. (5): what comes out at x_e after the last block."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.size = config.d_model

    def gather(
        self, outputs: Sequence[torch.Tensor], pooled: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, 1, D)."""
        return outputs[-1][:, :1], torch.ones_like(pooled.sum(dim=1))

    def forward(self, hidden: torch.Tensor, lens: torch.Tensor) -> torch.Tensor:
        """(B, 1, D) -> (B, D)."""
        return hidden[:, 0]


class EmotionVectorOfAllBlocks(Readout):
    """Each block's z_e, normalised, in a sum with learned weights that add up to 1."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.size = config.d_model
        self.block_logits = nn.Parameter(torch.zeros(config.num_blocks))

    def gather(
        self, outputs: Sequence[torch.Tensor], pooled: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, blocks, D)."""
        vectors = [layer_norm(z[:, 0], (self.size,)) for z in outputs[1:]]
        return torch.stack(vectors, dim=1), torch.full_like(pooled.sum(dim=1), len(vectors))

    def forward(self, hidden: torch.Tensor, lens: torch.Tensor) -> torch.Tensor:
        """(B, blocks, D) -> (B, D)."""
        return torch.einsum("l,bld->bd", self.block_logits.softmax(dim=0), hidden)


class Pooling(Readout):
    """Statistics of the frames of every layer, the layers side by side.

    The layers differ widely in scale, and so do their dimensions: each is standardised by mean and
    standard deviation over the training utterances, which ``standardise`` sets once.
    """

    offset: torch.Tensor
    scale: torch.Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("offset", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    def standardise(self, mean: torch.Tensor, sd: torch.Tensor) -> None:
        """Sets what is taken off and what is divided by, (W,) both."""
        self.offset.copy_(mean)
        self.scale.copy_(sd.clamp(min=MIN_SD))

    def standardised(self, hidden: torch.Tensor) -> torch.Tensor:
        """(B, S', W), of mean 0 and standard deviation 1 over the training utterances."""
        return (hidden - self.offset) / self.scale


class Mean(Pooling):
    """The mean of each layer's frames."""

    def __init__(self, config: EncoderConfig) -> None:
        self.size = (1 + config.num_blocks) * config.d_model
        super().__init__(self.size)

    def gather(
        self, outputs: Sequence[torch.Tensor], pooled: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, 1, layers * D)."""
        size = pooled.sum(dim=1)
        weights = pooled.to(outputs[0].dtype) / size[:, None]  # (B, S)
        moments = [self.moments(z, weights) for z in outputs]
        return torch.cat(moments, dim=1)[:, None], torch.ones_like(size)

    def moments(self, z: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Of a layer (B, S, D) under weights (B, S): (B, D)."""
        return weighted_mean(z, weights)

    def forward(self, hidden: torch.Tensor, lens: torch.Tensor) -> torch.Tensor:
        """(B, 1, W) -> (B, W)."""
        return self.standardised(hidden)[:, 0]


class MeanSd(Mean):
    """Mean and standard deviation of each layer's frames."""

    def __init__(self, config: EncoderConfig) -> None:
        self.size = 2 * (1 + config.num_blocks) * config.d_model
        Pooling.__init__(self, self.size)

    def moments(self, z: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Of a layer (B, S, D) under weights (B, S): (B, 2 D)."""
        return torch.cat(moments(z, weights)[:2], dim=1)


class MomentsAndHalves(Mean):
    """Mean, standard deviation, skewness of each block's frames, and the means of both halves.

    The frames before the first block are left out. The skewness distinguishes a few strong frames
    from many weak ones, and the halves of the pooled frames a beginning from an end.
    """

    def __init__(self, config: EncoderConfig) -> None:
        self.size = 5 * config.num_blocks * config.d_model
        Pooling.__init__(self, self.size)

    def gather(
        self, outputs: Sequence[torch.Tensor], pooled: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, 1, 5 * blocks * D)."""
        rank = pooled.cumsum(dim=1)  # 1 to N at the N pooled frames
        middle = pooled.sum(dim=1, keepdim=True) // 2
        parts = pooled, pooled & (rank <= middle.clamp(min=1)), pooled & (rank > middle)
        whole, first, second = (p.to(outputs[0].dtype) / p.sum(dim=1, keepdim=True) for p in parts)
        statistics = []
        for z in outputs[1:]:
            mean, sd, centred = moments(z, whole)
            skewness = weighted_mean((centred / sd[:, None]) ** 3, whole)
            statistics += [mean, sd, skewness, weighted_mean(z, first), weighted_mean(z, second)]
        return torch.cat(statistics, dim=1)[:, None], torch.ones_like(middle[:, 0])


class Attentive(Pooling):
    """Mean and standard deviation under learned weights of the frames (Okabe et al., 2018)."""

    def __init__(self, config: EncoderConfig) -> None:
        width = (1 + config.num_blocks) * config.d_model
        super().__init__(width)
        self.size = 2 * width
        self.scores = nn.Sequential(nn.Linear(width, SCORE_DIM), nn.Tanh(), nn.Linear(SCORE_DIM, 1))

    def gather(
        self, outputs: Sequence[torch.Tensor], pooled: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, S, layers * D)."""
        return torch.cat(list(outputs), dim=2), pooled.sum(dim=1)

    def forward(self, hidden: torch.Tensor, lens: torch.Tensor) -> torch.Tensor:
        """(B, S, W) -> (B, 2 W)."""
        x = self.standardised(hidden)
        padded = ~length_mask(lens, x.shape[1])
        scores = self.scores(x)[:, :, 0].masked_fill(padded, float("-inf"))  # (B, S)
        return torch.cat(moments(x, scores.softmax(dim=1))[:2], dim=1)


def loud_frames(
    feats: torch.Tensor, feat_lens: torch.Tensor, real: torch.Tensor, stride: int, least: float
) -> torch.Tensor:
    """The encoder frames that are not quiet.

    The loudness of a feature frame is the mean of its bands, that of an encoder frame that of the
    loudest feature frame of its stride. Only differences within an utterance count.

    Args:
        feats: (B, T, F).
        feat_lens: (B,).
        real: (B, S) bool, True at encoder frames within the utterance.
        stride: Feature frames from one encoder frame to the next.
        least: Share of the way from the quietest frame to the loudest.

    Returns:
        (B, S) bool, True at one frame or more.
    """
    silent = float("-inf")
    loudness = feats.mean(dim=2)  # (B, T)
    loudness = loudness.masked_fill(~length_mask(feat_lens, feats.shape[1]), silent)
    loudness = nn.functional.pad(loudness, (0, stride), value=silent)
    loudness = loudness[:, : real.shape[1] * stride]
    loudness = torch.unflatten(loudness, 1, (-1, stride)).amax(dim=2)
    loudest = loudness.masked_fill(~real, float("-inf")).amax(dim=1, keepdim=True)
    quietest = loudness.masked_fill(~real, float("inf")).amin(dim=1, keepdim=True)
    loud: torch.Tensor = real & (loudness >= quietest + least * (loudest - quietest))
    return loud


def weighted_mean(z: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """(B, S, D) under weights (B, S) -> (B, D), in float32 or better under autocast too."""
    if not z.is_meta and torch.is_autocast_enabled(z.device.type):
        with torch.autocast(z.device.type, enabled=False):
            return weighted_mean(at_least_float32(z), at_least_float32(weights))
    return torch.einsum("bs,bsd->bd", weights, z)


def moments(
    z: torch.Tensor, weights: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Mean and standard deviation (B, D) of z (B, S, D) under weights (B, S), and z - mean."""
    mean = weighted_mean(z, weights)
    centred = z - mean[:, None]
    variance = weighted_mean(centred.square(), weights)
    return mean, variance.clamp(min=MIN_SD**2).sqrt(), centred


READOUTS: dict[str, Callable[[EncoderConfig], Readout]] = {
    "emotion_vector": EmotionVector,
    "emotion_vector_of_all_blocks": EmotionVectorOfAllBlocks,
    "mean": Mean,
    "mean_sd": MeanSd,
    "moments_and_halves": MomentsAndHalves,
    "attentive": Attentive,
}


def build_readout(config: ReadoutConfig, encoder: EncoderConfig) -> Readout:
    """A readout with new weights."""
    return READOUTS[config.type](encoder)
