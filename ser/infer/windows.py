"""Long recordings in windows, read piece by piece: an hour needs no more memory than a minute."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from ser.base.errors import SerError
from ser.kaldi.audio import INT16_SCALE, unreadable

Floats = npt.NDArray[np.float32]

READ_SECONDS = 1.0  # of a file at a time


def stream_file(path: Path, sample_rate_hz: int) -> Iterator[Floats]:
    """Mono samples of a file in 16-bit scale, resampled on the way.

    Raises:
        SerError: The file is missing or unreadable, or holds values that are not finite.
    """
    try:
        with soundfile.SoundFile(str(path)) as file:
            resample = _Resampler(file.samplerate, sample_rate_hz)
            for block in file.blocks(int(file.samplerate * READ_SECONDS) or 1, dtype="float32"):
                if not np.isfinite(block).all():
                    raise SerError(
                        f"{path}: samples that are not finite; expected numbers; replace the file"
                    )
                yield resample(block)
            yield resample.rest()
    except (soundfile.SoundFileError, OSError) as error:
        raise unreadable(path, path.name, error) from error


def stream_pcm(source: BinaryIO, rate: int, sample_rate_hz: int) -> Iterator[Floats]:
    """Mono samples of raw 16-bit little-endian PCM, as they come in: a tenth of a second each."""
    resample = _Resampler(rate, sample_rate_hz)
    rest = b""
    while data := source.read(2 * max(1, rate // 10)):
        data = rest + data
        rest = data[len(data) - len(data) % 2 :]
        samples = np.frombuffer(data[: len(data) - len(rest)], "<i2").astype(np.float32)
        yield resample(np.divide(samples, INT16_SCALE, dtype=np.float32))
    yield resample.rest()


class _Resampler:
    def __init__(self, rate: int, sample_rate_hz: int) -> None:
        self._stream = None
        if rate != sample_rate_hz:
            self._stream = soxr.ResampleStream(rate, sample_rate_hz, 1, dtype="float32")

    def __call__(self, block: Floats, last: bool = False) -> Floats:
        mono = block if block.ndim == 1 else block.mean(axis=1, dtype=np.float32)
        if self._stream is not None:
            mono = self._stream.resample_chunk(np.ascontiguousarray(mono), last=last)
        return np.asarray(mono * INT16_SCALE, np.float32)

    def rest(self) -> Floats:
        return self(np.zeros(0, np.float32), last=True)


def windows(chunks: Iterable[Floats], window: int, hop: int) -> Iterator[tuple[int, Floats]]:
    """Windows of a stream of samples, each with its first sample's number.

    The last one may be shorter; it is there only where it holds samples that none before it had.

    Args:
        chunks: Samples (n,) each, of any number.
        window: Samples a window.
        hop: Samples from one to the next, at most a window.
    """
    buffer = np.zeros(0, np.float32)
    start, seen = 0, 0  # of the buffer, and behind the last window
    for chunk in chunks:
        buffer = np.concatenate([buffer, chunk])
        while len(buffer) >= window:
            yield start, buffer[:window]
            seen = start + window
            buffer = buffer[hop:]
            start += hop
    if start + len(buffer) > seen:
        yield start, buffer
