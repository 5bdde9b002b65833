"""Voice activity: where in a recording somebody may speak, by a stated rule of energy.

A frame of 25 ms is speech where its level above 100 Hz is 6 dB above the noise floor, and at least
-60 dB of full scale; the floor is the 10th percentile of the minute around it. Pauses of less than
0.3 s do not end a stretch of speech; less than 0.2 s of such frames are none. A stretch begins
0.1 s early and ends 0.1 s late. One longer than a model is used to is divided at the quietest frame
of its middle third, and its parts likewise.

It needs no model and is the same for every engine. But music or a door is speech to it, speech at
less than some 10 dB above the noise is partly missed, and a tone that lasts a minute is noise.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from scipy.ndimage import percentile_filter
from scipy.signal import butter, sosfilt

from ser.audio.quality import MIN_DB, frame_levels
from ser.audio.reading import FRAME_SECONDS
from ser.base.arrays import Doubles, Floats
from ser.infer.windows import windows

MIN_HZ = 100.0
FLOOR_PERCENT = 10
ABOVE_FLOOR_DB = 6.0
INAUDIBLE = 1e-6  # of full scale: the level of digital silence
# In frames:
FLOOR = round(60 / FRAME_SECONDS)
PAUSE = round(0.3 / FRAME_SECONDS)
LEAST = round(0.2 / FRAME_SECONDS)
MARGIN = round(0.1 / FRAME_SECONDS)  # less than half of a pause
READ = round(1 / FRAME_SECONDS)  # at a time

Stretch = tuple[int, int]  # the first of it, and the first after it


def find_speech(pieces: Iterable[Floats], rate: int, most_seconds: float) -> list[Stretch]:
    """The stretches of speech of a recording, in samples, in their order, apart or end to end.

    Args:
        pieces: Mono samples (n,) each, in 16-bit scale.
        rate: Hz.
        most_seconds: Of a stretch.
    """
    most = max(LEAST, round(most_seconds / FRAME_SECONDS))
    size = round(FRAME_SECONDS * rate)
    num_samples = 0
    levels = [np.zeros(0)]
    high_pass = butter(2, MIN_HZ, "highpass", fs=rate, output="sos")
    state = np.zeros((len(high_pass), 2))
    for start, block in windows(pieces, READ * size, READ * size):
        audible, state = sosfilt(high_pass, block, zi=state)
        levels.append(frame_levels(audible, rate))
        num_samples = start + len(block)
    level_db = 20 * np.log10(np.maximum(np.concatenate(levels), INAUDIBLE))
    num_frames = len(level_db)
    return [
        (first * size, last * size if last < num_frames else num_samples)
        for stretch in _stretches(level_db)
        for first, last in _split(level_db, *stretch, most)
    ]


def _stretches(level_db: Doubles) -> Sequence[Stretch]:
    """The stretches of speech in frames, given the level (n,) of each."""
    if not len(level_db):
        return []
    floor = percentile_filter(level_db, FLOOR_PERCENT, size=min(FLOOR, len(level_db)))
    active = np.flatnonzero(level_db >= np.maximum(floor + ABOVE_FLOOR_DB, MIN_DB))
    groups = np.split(active, np.flatnonzero(np.diff(active) > PAUSE) + 1)
    return [
        (max(0, int(group[0]) - MARGIN), min(len(level_db), int(group[-1]) + 1 + MARGIN))
        for group in groups
        if len(group) >= LEAST
    ]


def _split(level_db: Doubles, first: int, last: int, most: int) -> list[Stretch]:
    """A stretch in parts of so many frames at most, and of a third of them at least."""
    if last - first <= most:
        return [(first, last)]
    third = (last - first) // 3
    cut = first + third + int(level_db[first + third : last - third].argmin())
    return _split(level_db, first, cut, most) + _split(level_db, cut, last, most)
