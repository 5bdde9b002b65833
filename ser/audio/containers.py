"""Containers that soundfile does not read: .m4a, .webm and the sound of videos, through PyAV."""

import importlib.util
import os
import re
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ser.audio.reading import require_file, require_rate
from ser.audio.truncation import LOST_SECONDS, bytes_of, truncated_error
from ser.base.arrays import Floats
from ser.base.errors import SerError

SOUND_ALONE = frozenset(".aac .ac3 .amr .m4a .m4b .mka .wma".split())
PYAV_EXTENSIONS = SOUND_ALONE | frozenset(
    ".3gp .avi .flv .m4v .mkv .mov .mp4 .mpeg .mpg .ts .webm .wmv".split()
)
SIGNATURE = re.compile(rb".{4}ftyp|\x1a\x45\xdf\xa3", re.DOTALL)  # of MP4, of Matroska
TELL_THEIR_LENGTH = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "asf", "flac")
MICROSECONDS = 1e6  # PyAV's unit of a video's length
DELAY_PACKETS = 3  # of an encoder, that it may or may not count
HINT = "pip install av"


def has_pyav() -> bool:
    """Whether PyAV is installed."""
    return importlib.util.find_spec("av") is not None


class NoSoundError(SerError):
    """A video that has none, as far as can be told from the whole of it."""


def needs_pyav(path: Path) -> bool:
    """Whether a file is one for PyAV, by its extension."""
    return path.suffix.lower() in PYAV_EXTENSIONS


def is_container(path: Path) -> bool:
    """Whether a file is one for PyAV, by its extension or, where it is named wrongly, its bytes."""
    if needs_pyav(path):
        return True
    with suppress(OSError, ValueError):  # reading it will say so
        if path.is_file():
            with path.open("rb") as stream:
                return SIGNATURE.match(stream.read(8)) is not None
    return False


def without_pyav(name: str) -> SerError:
    """The error for a container where PyAV is not installed."""
    return SerError(
        f"{name}: soundfile does not read it, but PyAV does: {HINT}; or convert the file to WAV"
    )


def decode_container(source: Path | BinaryIO, name: str) -> tuple[Floats, int]:
    """The first audio stream of a video, its channels averaged: samples (N,) +-1, and their rate.

    Raises:
        SerError: As for ``container_blocks``.
    """
    blocks, rates = zip(*container_blocks(source, name), strict=True)
    return np.concatenate(blocks), rates[0]


def container_blocks(source: Path | BinaryIO, name: str) -> Iterator[tuple[Floats, int]]:
    """The same piece by piece, each with the rate; at least one, which may be empty.

    Args:
        source: The file, or one that is open.
        name: What it is called in messages.

    Raises:
        TruncatedError: It is truncated.
        SerError: PyAV is not installed, the file is missing, there is no sound to read, or its rate
            is none of audio.
    """
    if isinstance(source, Path):
        require_file(source, source.name)
    try:
        import av  # of the extra "videos"; nothing else needs it
    except ImportError as error:
        raise without_pyav(name) from error
    track = None
    try:
        place = os.fspath(source) if isinstance(source, Path) else source
        with av.open(place, "r", metadata_errors="ignore") as container:
            if not container.streams.audio:
                raise NoSoundError(f"{name}: no audio stream; expected one; replace or remove it")
            if container.streams.audio[0].codec_context is None:
                raise SerError(
                    f"{name}: sound of a codec that FFmpeg does not decode; expected AAC or "
                    "another usual one; convert it to WAV with the program that made it"
                )
            track = _Track(container, container.streams.audio[0])
            require_rate(track.rate, name, "its sound")
            yield np.zeros(0, np.float32), track.rate
            resampler, form = None, None
            for decoded in track.frames():
                pieces: list[Any] = []
                if decoded is not None and (decoded.sample_rate, decoded.layout.name) != form:
                    # A resampler takes what its first frame was for granted.
                    pieces += resampler.resample(None) if resampler else []
                    resampler = av.AudioResampler(format="fltp", rate=track.rate)
                    form = decoded.sample_rate, decoded.layout.name
                pieces += resampler.resample(decoded) if resampler else []
                for frame in pieces:
                    # Not FFmpeg's own way to mono, which weighs the channels and adds them.
                    yield frame.to_ndarray().mean(axis=0, dtype=np.float32), track.rate
    except (av.FFmpegError, OSError, ValueError) as error:
        if track is None or not track.seconds:
            raise SerError(f"{name}: no sound to read ({error}); replace or remove it") from error
        track.broken = True
    if track.lacks_its_end() or _lacks_bytes(source):
        raise truncated_error(name, "its sound", track.seconds, track.announced)


def _lacks_bytes(source: Path | BinaryIO) -> bool:
    """Whether an AVI file is shorter than its header says; PyAV takes its length from its bytes."""
    with source.open("rb") if isinstance(source, Path) else nullcontext(source) as stream:
        size, expected = bytes_of(stream)
        return size < expected - 1


class _Track:
    """An audio stream as it is read, and where it should end.

    Attributes:
        rate: Hz.
        announced: Seconds from its beginning, as the video's header has them; None where it has
            none: of raw streams (.aac, .ac3, .ts) PyAV's length is a guess.
        seconds: That were decoded.
        broken: Whether the last packet is not whole.
    """

    def __init__(self, container: Any, track: Any) -> None:
        self._container, self._track = container, track
        self.rate = int(track.rate)
        self._of_all = track.duration is None  # then the length is that of the whole file
        self.announced: float | None = None
        if container.format.name in TELL_THEIR_LENGTH:
            if track.duration is not None:
                self.announced = float((track.start_time or 0) + track.duration) * track.time_base
            elif container.duration is not None:
                self.announced = ((container.start_time or 0) + container.duration) / MICROSECONDS
        self.seconds, self._end, self._tolerance = 0.0, 0.0, LOST_SECONDS
        self.broken = False

    def frames(self) -> Iterator[Any]:
        """What is decoded, and None after it."""
        for packet in self._container.demux():
            own = packet.stream is self._track
            length = float((packet.duration or 0) * packet.time_base) if packet.time_base else 0.0
            if packet.pts is not None and (own or self._of_all):
                self._end = max(self._end, float(packet.pts * packet.time_base) + length)
            if own:
                if packet.size:
                    self.broken = packet.is_corrupt
                    self._tolerance = max(LOST_SECONDS, DELAY_PACKETS * length)
                for frame in packet.decode():
                    self.seconds += frame.samples / frame.sample_rate
                    yield frame
        yield None

    def lacks_its_end(self) -> bool:
        """Whether less was there than is announced."""
        early = self.announced is not None and self._end + self._tolerance < self.announced
        return self.broken or early
