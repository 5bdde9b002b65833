"""Recordings as mono samples at a model's rate, whole or piece by piece."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile
import soxr

from ser.audio.chained import require_single
from ser.audio.containers import container_blocks, decode_container, is_container
from ser.audio.reading import (
    INT16_SCALE,
    UNREADABLE,
    audio_seconds,
    read_audio,
    require_finite,
    unreadable,
)
from ser.audio.truncation import LOST_SECONDS, truncated_error
from ser.base.arrays import Floats
from ser.base.errors import SerError

READ_SECONDS = 1.0  # of a recording at a time


class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, so many unless the stream ends; none at its end."""
        ...


@dataclass(frozen=True)
class AudioFile:
    """A recording in a file, read when it is asked for.

    Attributes:
        path: Where it lies.
    """

    path: str

    @property
    def seconds(self) -> float:
        """Its length (``file_seconds``)."""
        return file_seconds(Path(self.path))

    def whole(self, sample_rate_hz: int) -> Floats:
        """Mono samples in 16-bit scale (``read_file``)."""
        return read_file(Path(self.path), sample_rate_hz)

    def stream(self, sample_rate_hz: int) -> Iterator[Floats]:
        """The same piece by piece (``stream_file``)."""
        return stream_file(Path(self.path), sample_rate_hz)


def file_seconds(path: Path) -> float:
    """Length of an audio file by its header; of a video by all that it holds.

    Raises:
        SerError: The file is missing, unreadable, empty or cut.
    """
    if is_container(path):
        seconds = sum(len(block) / rate for block, rate in container_blocks(path, str(path)))
    else:
        seconds = audio_seconds(path, path.name)
    if not seconds:
        raise SerError(f"{path}: 0 samples; expected audio; remove or replace the file")
    return seconds


def read_file(path: Path, sample_rate_hz: int) -> Floats:
    """Mono samples of a whole file, in 16-bit scale.

    Raises:
        SerError: The file is missing or unreadable, holds values that are not finite, or less
            than a sample at this rate.
    """
    if is_container(path):
        samples, rate = decode_container(path, str(path))
        require_finite(samples, str(path), path.name)
        samples = soxr.resample(samples, rate, sample_rate_hz) * np.float32(INT16_SCALE)
    else:
        samples = read_audio(path, path.name, sample_rate_hz)
    if not len(samples):
        raise _too_short(path, sample_rate_hz)
    return samples


def stream_file(path: Path, sample_rate_hz: int) -> Iterator[Floats]:
    """Mono samples of a file in 16-bit scale, resampled on the way.

    Raises:
        SerError: As for ``file_seconds`` and ``read_file``.
    """
    pieces = container_blocks(path, str(path)) if is_container(path) else _blocks(path)
    first, rate = next(pieces)
    blocks = chain([first], (block for block, _ in pieces))
    num_samples = 0
    for block in resampled(_finite(blocks, path), rate, sample_rate_hz):
        num_samples += len(block)
        yield block
    if not num_samples:
        raise _too_short(path, sample_rate_hz)


def _blocks(path: Path) -> Iterator[tuple[Floats, int]]:
    """As ``container_blocks`` does, of a file that soundfile reads, its channels side by side."""
    seconds = file_seconds(path)
    num_samples = 0
    try:
        with soundfile.SoundFile(os.fsencode(path)) as file:
            rate: int = file.samplerate
            yield np.zeros(0, np.float32), rate
            size = int(rate * READ_SECONDS) or 1
            for block in file.blocks(size, frames=file.frames, dtype="float32"):
                num_samples += len(block)
                yield block, rate
            if num_samples / rate + LOST_SECONDS < seconds:
                raise truncated_error(str(path), path.name, num_samples / rate, seconds)
            with path.open("rb") as stream:
                require_single(stream, file, str(path), path.name)
    except UNREADABLE as error:
        raise unreadable(path, path.name, error) from error


def _finite(blocks: Iterable[Floats], path: Path) -> Iterator[Floats]:
    for block in blocks:
        require_finite(block, str(path), path.name)
        yield block


def _too_short(path: Path, sample_rate_hz: int) -> SerError:
    return SerError(
        f"{path}: 0 samples at {sample_rate_hz} Hz; expected audio; remove or replace the file"
    )


def stream_pcm(source: Readable, rate: int, sample_rate_hz: int) -> Iterator[Floats]:
    """Mono samples of raw 16-bit little-endian PCM, as they come in: a tenth of a second each."""
    return resampled(_pcm_blocks(source, rate), rate, sample_rate_hz)


def _pcm_blocks(source: Readable, rate: int) -> Iterator[Floats]:
    rest = b""
    while data := source.read(2 * max(1, rate // 10)):
        data = rest + data
        rest = data[len(data) - len(data) % 2 :]
        samples = np.frombuffer(data[: len(data) - len(rest)], "<i2").astype(np.float32)
        yield np.divide(samples, INT16_SCALE, dtype=np.float32)


def resampled(blocks: Iterable[Floats], rate: int, sample_rate_hz: int) -> Iterator[Floats]:
    """Blocks (n,) or (n, channels) within +-1 at a rate -> mono ones in 16-bit scale at another."""
    resampler = None
    if rate != sample_rate_hz:
        resampler = soxr.ResampleStream(rate, sample_rate_hz, 1, dtype="float32")
    for block in blocks:
        mono = block if block.ndim == 1 else block.mean(axis=1, dtype=np.float32)
        if resampler is not None:
            mono = resampler.resample_chunk(np.ascontiguousarray(mono))
        yield np.asarray(mono * INT16_SCALE, np.float32)
    if resampler is not None:
        rest = resampler.resample_chunk(np.zeros(0, np.float32), last=True)
        yield np.asarray(rest * INT16_SCALE, np.float32)
