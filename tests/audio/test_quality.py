"""What cannot be speech: by a stated rule, whatever the rate; and nothing else is taken for it."""

import numpy as np
import pytest

from ser.audio.quality import why_no_speech

RATES = (8000, 16000, 44100)


def tone(seconds: float, rate: int, level_db: float = -20.0) -> np.ndarray:
    """A sine of so much root mean square below full scale."""
    time = np.arange(round(seconds * rate)) / rate
    peak = 32768 * 10 ** (level_db / 20) * np.sqrt(2)
    return (peak * np.sin(2 * np.pi * 200 * time)).astype(np.float32)


@pytest.mark.parametrize("rate", RATES)
def test_what_is_no_speech(rate: int) -> None:
    silence = np.zeros(2 * rate, np.float32)
    click = silence.copy()
    click[rate] = 20000
    quiet = (np.random.default_rng(0).normal(size=2 * rate) * 3).astype(np.float32)  # -81 dB
    cases = {
        "silence": [silence, click, quiet, silence + 5000, tone(2, rate, -70)],
        "too short": [silence[:0], silence[:1], tone(0.02, rate)],
        "clipped": [np.sign(tone(1, rate)) * 32767, np.clip(8 * tone(1, rate, 0), -32768, 32767)],
    }
    for why, given in cases.items():
        assert [why_no_speech(samples.astype(np.float32), rate) for samples in given] == [
            why
        ] * len(given)


@pytest.mark.parametrize("rate", RATES)
def test_what_may_be(rate: int) -> None:
    padded = np.zeros(10 * rate, np.float32)
    padded[: round(0.15 * rate)] = tone(0.15, rate)
    loud = np.clip(1.02 * tone(2, rate, -3), -32768, 32767)  # the peaks alone
    for samples in (tone(1, rate), tone(0.05, rate), tone(3, rate, -55), padded, loud):
        assert why_no_speech(samples, rate) is None
