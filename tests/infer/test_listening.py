"""The latency of a live stream: from the coming in of a window's last sample to its line."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from tiny_audio import untrained_model

from ser.base.arrays import Floats
from ser.base.errors import SerError
from ser.infer.engine import Output
from ser.infer.streaming import listen

RATE = 16000


@dataclass
class TimedSource:
    """A clock, a source whose samples come in at some times, and work that takes its time.

    Attributes:
        came: (N,) seconds at which each sample comes in.
        work: Seconds that a window takes.
        now: The time.
        read_bytes: How far the source has been read.
    """

    came: Floats
    work: float
    now: float = 0.0
    read_bytes: int = 0

    def clock(self) -> float:
        return self.now

    def read(self, size: int, /) -> bytes:
        """Waits for the last of the samples."""
        left = 2 * len(self.came) - self.read_bytes
        size = min(size, left)
        self.read_bytes += size
        if size:
            self.now = max(self.now, float(self.came[self.read_bytes // 2 - 1]))
        return np.ones(size // 2, "<i2").tobytes()

    def latencies(self, window: float, hop: float, more_work: Sequence[float] = ()) -> list[float]:
        """What ``listen`` says, held to the true ones by ``true``."""
        model = untrained_model()
        extra = iter(more_work)

        def slow(inputs: Sequence[Floats]) -> list[Output]:
            self.now += self.work + next(extra, 0.0)
            return model.engine(inputs)

        told, self.true = [], []
        for result, seconds in listen(
            replace(model, engine=slow), self, RATE, window, hop, self.clock
        ):
            told.append(seconds)
            self.true.append(self.now - float(self.came[round(result.end * RATE) - 1]))
        return told


def live(seconds: float, rate: float = RATE) -> Floats:
    """A microphone that was switched on at 0."""
    return (np.arange(1, round(seconds * RATE) + 1) / rate).astype(np.float64)  # type: ignore[return-value]  # finer


def test_work_that_keeps_up_is_the_latency() -> None:
    world = TimedSource(live(10), work=0.05)
    assert world.latencies(2, 1) == pytest.approx([0.05] * 9)


def test_a_queue_is_seen() -> None:
    """Each window takes half a second longer than a hop: each line is that much later."""
    world = TimedSource(live(10), work=1.5)
    told = world.latencies(2, 1)
    assert told == pytest.approx(world.true)
    assert told == pytest.approx([1.5 + 0.5 * i for i in range(9)])


def test_a_queue_that_is_worked_off_is_gone() -> None:
    world = TimedSource(live(12), work=0.1)
    told = world.latencies(2, 1, more_work=[0, 3.0])
    assert told == pytest.approx(world.true)
    assert max(told) > 3 and told[-1] == pytest.approx(0.1)


def test_what_came_in_while_the_model_was_loaded_was_queued() -> None:
    world = TimedSource(live(10), work=1.2, now=1.98)
    assert world.latencies(2, 1) == pytest.approx(world.true)


def test_neither_a_pause_nor_a_slow_clock_is_a_queue() -> None:
    came = live(20, rate=RATE * 0.99)  # each second comes in 10 ms late
    came[10 * RATE :] += 30
    world = TimedSource(came, work=0.05)
    assert world.latencies(2, 1) == pytest.approx([0.05] * 19, abs=0.002)


def test_a_file_piped_in_counts_from_its_reading() -> None:
    world = TimedSource(np.zeros(20 * RATE, np.float32), work=0.05)
    assert world.latencies(2, 1) == pytest.approx([0.05] * 19)


def test_odd_ends_and_nothing() -> None:
    world = TimedSource(live(2.55), work=0.05)
    assert world.latencies(1, 1) == pytest.approx([0.05] * 3)
    with pytest.raises(SerError, match="-: no audio, 0 samples"):
        TimedSource(live(0), work=0.05).latencies(1, 1)
