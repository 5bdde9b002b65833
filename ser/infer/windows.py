"""Long recordings in windows or stretches: an hour needs no more memory than a minute."""

import contextlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np

from ser.audio.reading import INT16_SCALE
from ser.base.arrays import Floats
from ser.base.errors import SerError, is_out_of_memory, reason_of
from ser.base.options import shown

LONG_SECONDS = 60.0  # of the longest window, and of a recording that is held in memory as a whole
MIN_HOP_SECONDS = 0.001
ROUNDING_SECONDS = 0.01  # of a length in a header or table


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


@contextlib.contextmanager
def memory_named(segments: Sequence[Segment]) -> Iterator[None]:
    """Names what was computed where memory is full.

    Args:
        segments: What is computed together.

    Raises:
        SerError: It is.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise SerError(
            f"{segments[0].path or 'audio'}: does not fit into memory in a batch of "
            f"{len(segments)} recordings or windows ({reason_of(error)}); expected room for it; "
            "take smaller batches, shorter windows or another device"
        ) from error


def require_lengths(window: float, hop: float, frame: float) -> None:
    """Checks the lengths of windows, in seconds, and of a feature frame.

    Raises:
        SerError: They make no sense.
    """
    if not (isinstance(window, Real) and isinstance(hop, Real)):
        raise SerError(f"--window {window} --hop {hop}: expected seconds, as numbers")
    if not (frame <= window <= LONG_SECONDS and MIN_HOP_SECONDS <= hop <= window):
        raise SerError(
            f"--window {shown(window)} --hop {shown(hop)}: expected seconds, a window of "
            f"{frame:g} to {LONG_SECONDS:g}, and {MIN_HOP_SECONDS:g} <= hop <= window"
        )


@dataclass(frozen=True)
class LongRecording:
    """A recording that is predicted in windows of equal length.

    Attributes:
        path: Empty where there is none.
        window: Samples of a window.
        pieces: Its samples (n,), piece by piece, as those of a segment.
    """

    path: str
    window: int
    pieces: Iterable[Floats]


def equal_window(seconds: float, most: float, rate: int) -> int:
    """Samples of each of the fewest equal windows that cover a recording, none above ``most`` s."""
    number = math.ceil(seconds / (most - ROUNDING_SECONDS))
    return max(1, math.ceil((seconds + ROUNDING_SECONDS) / number * rate))


def is_long(seconds: float, most: float) -> bool:
    """Whether a recording is longer than ``most`` seconds, by more than headers are off."""
    return seconds > most + ROUNDING_SECONDS


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
