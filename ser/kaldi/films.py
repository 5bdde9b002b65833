"""The sound of films, and of audio that soundfile does not read (.m4a, .webm), through PyAV."""

import importlib.util
import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ser.base.errors import SerError

EXTENSIONS = frozenset(
    ".3gp .aac .ac3 .amr .avi .flv .m4a .m4b .m4v .mka .mkv .mov .mp4 .mpeg .mpg .ts .webm .wma "
    ".wmv".split()
)
HINT = "pip install av"


def can_be_read() -> bool:
    """Whether PyAV is installed."""
    return importlib.util.find_spec("av") is not None


def is_film(path: Path) -> bool:
    """Whether a file is one for PyAV, by its extension."""
    return path.suffix.lower() in EXTENSIONS


def without_pyav(name: str) -> SerError:
    """What to tell of a film where PyAV is not installed."""
    return SerError(
        f"{name}: soundfile does not read it; PyAV reads the sound of films: {HINT}; or convert "
        "the file to WAV"
    )


def decode_film(source: Path | BinaryIO, name: str) -> tuple[npt.NDArray[np.float32], int]:
    """The first sound track of a film, its channels averaged: samples (N,) +-1, and their rate.

    Args:
        source: The file, or one that is open.
        name: What it is called in messages.

    Raises:
        SerError: PyAV is not installed, or there is no sound to read.
    """
    try:
        import av  # of the extra "films"; nothing else needs it
    except ImportError as error:
        raise without_pyav(name) from error
    try:
        with av.open(os.fspath(source) if isinstance(source, Path) else source, "r") as container:
            if not container.streams.audio:
                raise SerError(f"{name}: no sound track; expected one; replace or remove it")
            track = container.streams.audio[0]
            resampler = av.AudioResampler(format="flt", layout="mono", rate=track.rate)
            frames: list[Any] = [
                frame.to_ndarray()[0]
                for decoded in (*container.decode(track), None)
                for frame in resampler.resample(decoded)
            ]
            rate = int(track.rate)
    except (av.FFmpegError, OSError) as error:
        raise SerError(f"{name}: no sound to read ({error}); replace or remove it") from error
    return np.concatenate([np.zeros(0, np.float32), *frames]), rate
