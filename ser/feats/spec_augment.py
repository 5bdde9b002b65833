"""SpecAugment (Park et al., 2019): bands and stretches of time set to the utterance's mean.

The masks of an utterance depend on the seed, the epoch and its place among all utterances alone:
not on its batch, nor on the process that loads it or the number of processes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ser.base.arrays import Doubles, Floats
from ser.config.schema import SpecAugmentConfig

STREAM = 1  # keeps these random numbers apart from others of the same seed and epoch


@dataclass(frozen=True)
class Spans:
    """The masks of N utterances for one epoch: from each start to before its stop.

    Attributes:
        bins: (N, masks, 2) start and stop in mel bins.
        frames: (N, masks, 2) start and stop in frames.
    """

    bins: npt.NDArray[np.int32]
    frames: npt.NDArray[np.int32]

    def of(self, indices: Sequence[int]) -> "Spans":
        """The masks of some of the utterances."""
        return Spans(self.bins[indices], self.frames[indices])

    def mask(
        self,
        index: int,
        feats: Floats,
        mean: Floats | float = 0.0,
    ) -> None:
        """Masks the features (T, F) of an utterance in place.

        Args:
            index: The utterance's place among all.
            feats: As the model gets them.
            mean: (F,) of the utterance; or 0 where it has been taken off.
        """
        mean = np.broadcast_to(np.float32(mean), feats.shape[1])
        for start, stop in self.bins[index].tolist():
            feats[:, start:stop] = mean[start:stop]
        for start, stop in self.frames[index].tolist():
            feats[start:stop] = mean


def spec_augment_spans(
    num_frames: Sequence[int], num_mel_bins: int, config: SpecAugmentConfig, seed: int, epoch: int
) -> Spans:
    """Draws the masks of all utterances for one epoch.

    Args:
        num_frames: T of each utterance.
        num_mel_bins: F.
        config: Number and largest width of the masks.
        seed: The run's seed.
        epoch: Counted from 0.
    """
    lens = np.asarray(num_frames, np.float64)
    widest = np.floor(lens * config.max_time_mask_prob).clip(max=config.max_time_mask_frames)
    # Row by row, so that an utterance's numbers do not depend on those of the others.
    num_masks = config.num_freq_masks + config.num_time_masks
    random = np.random.default_rng([seed, epoch, STREAM]).random((len(lens), num_masks, 2))
    of_bins, of_frames = np.split(random, [config.num_freq_masks], axis=1)
    bins = np.full(len(lens), float(num_mel_bins))
    return Spans(
        _spans(of_bins, bins, np.full(len(lens), float(config.max_freq_mask_bins))),
        _spans(of_frames, lens, widest),
    )


def _spans(random: Doubles, sizes: Doubles, widest: Doubles) -> npt.NDArray[np.int32]:
    """Start and stop (N, masks, 2) of spans up to ``widest`` (N,) within ``sizes`` (N,)."""
    width = np.minimum(np.floor(random[..., 0] * (widest + 1)[:, None]), sizes[:, None])
    start = np.floor(random[..., 1] * (sizes[:, None] - width + 1))
    return np.stack([start, start + width], axis=2).astype(np.int32)
