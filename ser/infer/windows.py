"""Long recordings in windows, read piece by piece: an hour needs no more memory than a minute."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from ser.audio.chained import require_single
from ser.audio.containers import container_blocks, decode_container, needs_pyav
from ser.audio.reading import (
    INT16_SCALE,
    UNREADABLE,
    audio_seconds,
    read_audio,
    require_finite,
    unreadable,
)
from ser.audio.truncation import LOST_SECONDS, truncated_error
from ser.base.errors import SerError

Floats = npt.NDArray[np.float32]

READ_SECONDS = 1.0  # of a recording at a time


@dataclass(frozen=True)
class Segment:
    """Samples that wait for their prediction: (N,) at the model's rate, in 16-bit scale."""

    path: str
    samples: Floats
    start: float = 0.0

    def not_finite(self) -> SerError:
        """The error for posteriors of it that are not finite."""
        largest = float(np.abs(self.samples).max()) / INT16_SCALE
        return SerError(
            f"{self.path or 'samples'}: the model's posteriors are not finite (the largest sample "
            f"is {largest:.3g} of full scale); expected samples of at most full scale, and a whole "
            "model; replace the file, or fetch the model again"
        )


class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, so many unless the stream ends; none at its end."""
        ...


def file_seconds(path: Path) -> float:
    """Length of an audio file by its header; of a video by all that it holds.

    Raises:
        SerError: The file is missing, unreadable, empty or cut.
    """
    if needs_pyav(path):
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
    if needs_pyav(path):
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
    pieces = container_blocks(path, str(path)) if needs_pyav(path) else _blocks(path)
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
        if not np.isfinite(block).all():
            raise SerError(
                f"{path}: samples that are not finite; expected numbers; replace the file"
            )
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


def windows(chunks: Iterable[Floats], window: int, hop: int) -> Iterator[tuple[int, Floats]]:
    """Windows of a stream of samples, each with its first sample's number.

    The last one may be shorter; it is there only where it holds samples that none before it had.

    Args:
        chunks: Samples (n,) each, of any number.
        window: Samples a window.
        hop: Samples from one to the next, at most a window.
    """
    pieces: list[Floats] = []  # joined once a window is whole
    held = 0  # samples in them
    start, seen = 0, 0  # of the pieces, and after the last window
    for chunk in chunks:
        pieces.append(chunk)
        held += len(chunk)
        if held < window:
            continue
        buffer = np.concatenate(pieces)
        while len(buffer) >= window:
            yield start, buffer[:window]
            seen = start + window
            buffer = buffer[hop:]
            start += hop
        pieces, held = [buffer], len(buffer)
    if start + held > seen:
        yield start, np.concatenate(pieces)


def cut(
    chunks: Iterable[Floats], stretches: Iterable[tuple[int, int]]
) -> Iterator[tuple[int, Floats]]:
    """Stretches of a stream of samples, each with its first sample's number.

    Args:
        chunks: Samples (n,) each, of any number.
        stretches: The first sample of each and the first after it, in their order; they do not
            overlap.
    """
    chunks = iter(chunks)
    buffer, start = np.zeros(0, np.float32), 0  # the samples at hand, and the number of the first
    for first, end in stretches:
        pieces, held = [buffer], start + len(buffer)
        while held < end and (chunk := next(chunks, None)) is not None:
            held += len(chunk)
            if held <= first:
                pieces, start = [], held
            else:
                pieces.append(chunk)
        buffer = np.concatenate(pieces)
        yield first, buffer[first - start : end - start]
        buffer, start = buffer[end - start :], end
