"""The definitions of features by the ``type`` of their configuration."""

from ser.base.arrays import Floats
from ser.config.features import FbankConfig, FeaturesConfig, Normalisation
from ser.feats.fbank import Fbank
from ser.feats.whisper import WhisperMel

Extractor = Fbank | WhisperMel  # samples to features; safe to call from several threads


def make_extractor(config: FeaturesConfig) -> Extractor:
    """The extractor of a configuration."""
    return Fbank(config) if isinstance(config, FbankConfig) else WhisperMel(config)


def normalise(feats: Floats, normalisation: Normalisation) -> None:
    """What is done to the features (T, F) of an utterance when they are loaded, in place."""
    if normalisation == "utterance_mean":
        feats -= feats.mean(axis=0)
