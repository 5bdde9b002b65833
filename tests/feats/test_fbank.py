"""The features are Kaldi's, by the reference of torchaudio."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import FBANK
from torchaudio.compliance.kaldi import fbank as reference_fbank

from ser.base.errors import SerError
from ser.config.features import FbankConfig
from ser.feats.fbank import BLOCK_FRAMES, Fbank, covered_groups, mel_filters


def reference(samples: torch.Tensor, config: FbankConfig = FBANK) -> torch.Tensor:
    return reference_fbank(
        samples[None],
        sample_frequency=config.sample_rate_hz,
        num_mel_bins=config.num_mel_bins,
        frame_length=config.frame_length_ms,
        frame_shift=config.frame_shift_ms,
        preemphasis_coefficient=config.preemphasis,
        low_freq=config.low_freq_hz,
        high_freq=config.high_freq_hz,
        window_type="povey",
        dither=0.0,
        use_energy=False,
        snip_edges=True,
    )


def log_mel(samples: torch.Tensor, config: FbankConfig = FBANK) -> torch.Tensor:
    return torch.from_numpy(Fbank(config)(samples.numpy()))


def noise(num_samples: int, amplitude: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(num_samples)
    return torch.rand(num_samples, generator=generator) * 2 * amplitude - amplitude


def tone(num_samples: int, frequency_hz: float) -> torch.Tensor:
    time = torch.arange(num_samples) / FBANK.sample_rate_hz
    return 20000 * torch.sin(2 * torch.pi * frequency_hz * time)


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(noise(16000, 3000.0), id="speech level"),
        pytest.param(noise(16000, 32768.0), id="loud"),
        pytest.param(noise(16000, 32768.0).sign() * 32768, id="clipped"),
        pytest.param(noise(16000, 0.5), id="below one bit"),
        pytest.param(torch.zeros(8000), id="silence"),
        pytest.param(torch.cat([torch.zeros(4000), noise(4000, 900.0)]), id="silence, then noise"),
        pytest.param(torch.full((4000,), 1234.0), id="constant"),
        pytest.param(noise(400, 3000.0), id="one frame"),
        pytest.param(noise(559, 3000.0), id="one sample short of two frames"),
        pytest.param(noise(560, 3000.0), id="two frames"),
        pytest.param(noise(35 * 16000, 3000.0), id="35 s"),
    ],
)
def test_equals_torchaudio(samples: torch.Tensor) -> None:
    expected = reference(samples)
    feats = log_mel(samples)
    assert feats.dtype == torch.float32
    assert feats.shape == expected.shape
    assert (feats - expected).abs().max() < 1e-3


@pytest.mark.parametrize("frequency_hz", [25.0, 440.0, 7900.0])
def test_pure_tone_is_as_exact_as_torchaudio(frequency_hz: float) -> None:
    """Float32 leaves each its own rounding errors; float64 tells how large they are.

    Where a band lies more than 80 dB below the loudest, both hold nothing else.
    """
    samples = tone(16000, frequency_hz)
    exact, feats = reference(samples.double()), log_mel(samples)
    heard = exact > exact.amax(dim=1, keepdim=True) - 8 * math.log(10)
    assert heard.any(dim=1).all()

    def error(found: torch.Tensor) -> float:
        return float((found - exact)[heard].abs().max())

    assert error(feats) < min(0.01, 2 * error(reference(samples)))
    assert (feats.argmax(dim=1) == exact.argmax(dim=1)).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"num_mel_bins": 23, "low_freq_hz": 64.0, "high_freq_hz": 7600.0},
        {"sample_rate_hz": 8000, "high_freq_hz": 4000.0, "num_mel_bins": 40},
        {"frame_length_ms": 20.0, "frame_shift_ms": 5.0, "preemphasis": 0.0},
    ],
)
def test_equals_torchaudio_with_other_options(changes: dict[str, float]) -> None:
    config = FbankConfig(**(FBANK.model_dump() | changes))
    samples = noise(12345, 5000.0)
    assert (log_mel(samples, config) - reference(samples, config)).abs().max() < 1e-3


@settings(max_examples=60)
@given(num_samples=st.integers(1, 3000))
def test_number_of_frames(num_samples: int) -> None:
    fbank = Fbank(FBANK)
    expected = 1 + (num_samples - 400) // 160 if num_samples >= 400 else 1
    assert fbank.num_frames(num_samples) == expected
    assert fbank(noise(num_samples, 100.0).numpy()).shape == (expected, 80)


@pytest.mark.parametrize("num_samples", [1, 200, 399])
def test_shorter_than_a_frame_is_padded_with_zeros(num_samples: int) -> None:
    samples = noise(num_samples, 3000.0)
    padded = torch.cat([samples, torch.zeros(400 - num_samples)])
    assert (log_mel(samples) - reference(padded)).abs().max() < 1e-3


def test_samples_are_not_changed() -> None:
    samples = noise(4000, 3000.0)
    before = samples.clone()
    log_mel(samples)
    assert torch.equal(samples, before)


@pytest.mark.parametrize("num_mel_bins", [23, 80, 83, 200])
def test_groups_of_filters_are_the_whole_matrix(num_mel_bins: int) -> None:
    config = FBANK.model_copy(update={"num_mel_bins": num_mel_bins})
    filters = mel_filters(config, 512)
    joined = np.zeros_like(filters)
    for bins, bands, weights in covered_groups(filters):
        joined[bins, bands] += weights
    assert np.array_equal(joined, filters)
    if num_mel_bins == 80:
        weighed = sum(weights.size for _, _, weights in covered_groups(filters))
        assert weighed < 0.4 * filters.size


@pytest.mark.parametrize("num_frames", [BLOCK_FRAMES - 1, BLOCK_FRAMES, 2 * BLOCK_FRAMES + 1])
def test_a_frame_does_not_depend_on_its_block(num_frames: int) -> None:
    samples = noise(400 + 160 * (num_frames - 1), 3000.0)
    feats = log_mel(samples)
    assert len(feats) == num_frames
    for frame in {0, BLOCK_FRAMES - 2, num_frames - 1}:
        alone = log_mel(samples[160 * frame : 160 * frame + 400])
        assert (feats[frame] - alone[0]).abs().max() < 1e-4


@pytest.mark.parametrize("changes", [{"num_mel_bins": 256}, {"frame_length_ms": 10.0}])
def test_bands_without_a_frequency_are_refused(changes: dict[str, Any]) -> None:
    """They would be the same in every frame; Kaldi refuses them too."""
    with pytest.raises(SerError, match=r"num_mel_bins \d+: \d+ bands lie between the frequencies"):
        Fbank(FBANK.model_copy(update=changes))
