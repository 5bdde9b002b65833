"""The definitions of features by the ``type`` of their configuration."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from ser.config.features import FbankConfig, FeaturesConfig, Normalisation
from ser.feats.fbank import Fbank
from ser.feats.whisper import WhisperMel

Floats = npt.NDArray[np.float32]


class Extractor(Protocol):
    """Samples to features. Safe to call from several threads.

    Attributes:
        min_samples: Shorter utterances are padded with zeros to so many.
    """

    min_samples: int

    @property
    def config(self) -> FeaturesConfig:
        """What it was made from."""
        ...

    def num_frames(self, num_samples: int) -> int:
        """T for a number of samples."""
        ...

    def num_samples(self, num_frames: int) -> int:
        """Samples that give so many frames, or, where these are too few, the fewest."""
        ...

    def __call__(self, samples: Floats) -> Floats:
        """Samples (N,) at the configuration's rate, in 16-bit scale -> (T, F), not normalised."""
        ...


def make_extractor(config: FeaturesConfig) -> Extractor:
    """The extractor of a configuration."""
    return Fbank(config) if isinstance(config, FbankConfig) else WhisperMel(config)


def normalise(feats: Floats, normalisation: Normalisation) -> None:
    """What is done to the features (T, F) of an utterance when they are loaded, in place."""
    if normalisation == "utterance_mean":
        feats -= feats.mean(axis=0)
