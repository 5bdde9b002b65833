"""Audio files, written whole or not at all."""

import io
from pathlib import Path
from typing import Any

import soundfile

from ser.base.writing import atomic_file


def write_audio(path: Path, samples: Any, sample_rate_hz: int, subtype: str | None = None) -> None:
    """Writes an audio file that is never seen half-written.

    libsndfile encodes it in memory: closing a file, it does not say that the disk was full.

    Args:
        path: Its suffix says its format.
        samples: (N,) or (N, channels), floats within [-1, 1] or integers.
        sample_rate_hz: Their rate.
        subtype: libsndfile's name of how a sample is stored; the format's own by default.

    Raises:
        OSError: The disk is full, or is not writable.
    """
    encoded = io.BytesIO()
    soundfile.write(encoded, samples, sample_rate_hz, subtype, format=path.suffix[1:])
    with atomic_file(path) as partial:
        partial.write_bytes(encoded.getbuffer())
