"""Whether samples can be speech at all: a stated rule, for what no listener would label."""

import numpy as np

from ser.audio.reading import FRAME_SECONDS, INT16_SCALE
from ser.base.arrays import Doubles, Floats

MIN_DB = -60.0  # of full scale: a frame that is quieter is no sound
MIN_SECONDS = 0.1  # of sound
FULL_SCALE = 0.999 * INT16_SCALE
MAX_CLIPPED = 0.2  # share of the samples at full scale


def why_no_speech(samples: Floats, rate: int) -> str | None:
    """Why some samples cannot be speech.

    ``too short``: less than a frame of 25 ms. ``silence``: less than 0.1 s of frames whose level,
    their mean taken off, reaches -60 dB of full scale (or less than half of what is shorter than
    0.2 s). ``clipped``: more than a fifth of the samples are at full scale.

    Args:
        samples: (N,) mono, in 16-bit scale.
        rate: Hz.

    Returns:
        The word, or None of what may be speech.
    """
    size = round(FRAME_SECONDS * rate)
    if len(samples) < size:
        return "too short"
    if np.count_nonzero(np.abs(samples) >= FULL_SCALE) > MAX_CLIPPED * len(samples):
        return "clipped"
    active = np.count_nonzero(frame_levels(samples, rate) >= 10 ** (MIN_DB / 20)) * FRAME_SECONDS
    return None if active >= min(MIN_SECONDS, len(samples) / rate / 2) else "silence"


def frame_levels(samples: Floats, rate: int) -> Doubles:
    """The root mean square (n,) of each whole frame of 25 ms, its mean taken off; full scale is 1.

    Args:
        samples: (N,) mono, in 16-bit scale.
        rate: Hz.
    """
    size = round(FRAME_SECONDS * rate)
    frames = samples[: len(samples) - len(samples) % size].reshape(-1, size)
    level: Doubles = frames.std(axis=1, dtype=np.float64) / INT16_SCALE
    return level
