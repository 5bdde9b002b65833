"""Whisper's log-mel spectrogram against that of ``transformers``."""

import numpy as np
import pytest
from tiny import whisper_mel_config

from ser.feats.whisper import WhisperMel, mel_filters

transformers = pytest.importorskip("transformers")


def speech(num_samples: int, seed: int = 0) -> np.ndarray:
    """Noise within a slow envelope, quiet in parts, within +-1."""
    random = np.random.default_rng(seed)
    envelope = 0.5 * (1 + np.sin(np.arange(num_samples) / 3000.0)) ** 2
    return (0.2 * envelope * random.normal(size=num_samples)).clip(-1, 1).astype(np.float32)


@pytest.mark.parametrize("num_mel_bins", [80, 128])
@pytest.mark.parametrize("num_samples", [400, 1600, 16001, 79_999, 80_000, 470_001])
def test_equals_the_published_extractor(num_samples: int, num_mel_bins: int) -> None:
    """The frames that begin within the utterance, of the 3000 that it gives."""
    extractor = transformers.WhisperFeatureExtractor(feature_size=num_mel_bins)
    samples = speech(num_samples)
    expected = extractor(samples, sampling_rate=16000, return_attention_mask=True)
    num_frames = int(expected["attention_mask"].sum())
    mel = WhisperMel(whisper_mel_config(num_mel_bins=num_mel_bins))
    feats = mel(samples * np.float32(32768))
    assert feats.dtype == np.float32
    assert feats.shape == (num_frames, num_mel_bins) == (mel.num_frames(num_samples), num_mel_bins)
    assert np.abs(feats - expected["input_features"][0].T[:num_frames]).max() <= 1e-5


def test_with_the_silence_of_30_s_all_frames_are_equal() -> None:
    samples = speech(50_000)
    expected = transformers.WhisperFeatureExtractor()(samples, sampling_rate=16000)
    feats = WhisperMel(whisper_mel_config(pad_seconds=30.0))(samples * np.float32(32768))
    assert feats.shape == (3000, 80)
    assert np.abs(feats - expected["input_features"][0].T).max() <= 1e-5


@pytest.mark.parametrize("num_mel_bins", [80, 128])
def test_filters_are_slaney_s(num_mel_bins: int) -> None:
    expected = transformers.audio_utils.mel_filter_bank(
        num_frequency_bins=201,
        num_mel_filters=num_mel_bins,
        min_frequency=0.0,
        max_frequency=8000.0,
        sampling_rate=16000,
        norm="slaney",
        mel_scale="slaney",
    )
    assert np.abs(mel_filters(num_mel_bins, 16000) - expected).max() < 1e-7


@pytest.mark.parametrize("num_samples", [1, 159, 160, 161, 399, 400, 401, 16_000])
def test_short_ones_are_padded_to_a_window(num_samples: int) -> None:
    mel = WhisperMel(whisper_mel_config())
    feats = mel(speech(num_samples) * np.float32(32768))
    assert len(feats) == mel.num_frames(num_samples) == -(-max(num_samples, 400) // 160)
    assert np.isfinite(feats).all()


def test_silence_is_finite() -> None:
    feats = WhisperMel(whisper_mel_config())(np.zeros(16000, np.float32))
    np.testing.assert_allclose(feats, -1.5, rtol=1e-6)  # log10 differs by a bit between processors


@pytest.mark.parametrize("num_frames", [1, 3, 4, 100])
def test_samples_for_a_number_of_frames(num_frames: int) -> None:
    mel = WhisperMel(whisper_mel_config())
    assert mel.num_frames(mel.num_samples(num_frames)) == max(num_frames, 3)
