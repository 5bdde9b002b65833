"""Listening live: windows of a stream as it comes in, and the latency of each."""

import math
import time
from collections.abc import Callable, Iterator

from ser.base.errors import SerError
from ser.infer.model import Model
from ser.infer.recordings import Readable, stream_pcm
from ser.infer.result import Result

WAITED = 0.5  # of what a read brings: who waited so long for it found nothing queued


class Arrivals:
    """Passes a stream of 16-bit PCM on and knows when each sample came in, not when it was read.

    A read that had to wait brings a sample that came in just then. Samples that were there already
    had been queued: they came in one by one at the stream's rate after the last sample that is
    known, but never later than they were read. So a microphone's queue is seen, one too that grew
    while the model was loaded (from the time that it has been read down), and neither a pause of
    the stream nor the drift of its clock is taken for one. A file that is piped in faster than it
    was spoken comes in as it is read; what takes longer than it lasts falls behind, as it would
    live.

    Args:
        source: The stream.
        rate: Samples a second.
        clock: Seconds.
    """

    def __init__(self, source: Readable, rate: int, clock: Callable[[], float]) -> None:
        self._source, self._rate, self._clock = source, rate, clock
        self._num_samples = 0.0
        self._start = math.inf  # of the stream, by the samples that came in last

    def read(self, size: int, /) -> bytes:
        """The next bytes."""
        asked = self._clock()
        data = self._source.read(size)
        read = self._clock()
        if data:
            new = len(data) / 2
            self._num_samples += new
            start = read - self._num_samples / self._rate
            waited = read - asked >= WAITED * new / self._rate
            self._start = start if waited else min(self._start, start)
        return data

    def came_in(self, seconds: float) -> float:
        """When the sample at this time of the stream came in, by the clock."""
        return self._start + seconds


def listen(
    model: Model,
    source: Readable,
    rate: int,
    window: float,
    hop: float,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[tuple[Result, float]]:
    """Predicts raw 16-bit little-endian mono PCM window by window, as it comes in.

    Args:
        model: What predicts.
        source: The stream.
        rate: Samples a second.
        window: Seconds.
        hop: Seconds from one window to the next, at most a window.
        clock: Seconds.

    Yields:
        Each window's result, and the seconds since its last sample came in (``Arrivals``).

    Raises:
        SerError: The stream holds no audio, or a length makes no sense.
    """
    arrivals = Arrivals(source, rate, clock)
    pieces = stream_pcm(arrivals, rate, model.sample_rate_hz)
    silent = True
    for result in model.predict_windows(pieces, window, hop):
        silent = False
        yield result, clock() - arrivals.came_in(result.end)
    if silent:
        raise SerError("-: no audio, 0 samples; expected raw 16-bit mono PCM; pipe some in")
