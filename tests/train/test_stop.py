"""Requests to stop: a signal, or the time."""

import os
import signal
import time

import pytest

from ser.base.errors import SerError
from ser.train.engine.shutdown import StopRequest, deadline_after


def test_sigterm_asks_however_often_it_comes() -> None:
    outside = signal.getsignal(signal.SIGTERM)
    with StopRequest() as stop:
        assert stop.reason is None
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)
            assert stop.reason == "SIGTERM"
    assert signal.getsignal(signal.SIGTERM) is outside


def test_the_second_ctrl_c_interrupts() -> None:
    with pytest.raises(KeyboardInterrupt), StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.reason == "SIGINT"
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)


def test_the_time_is_up_at_the_deadline() -> None:
    with StopRequest(time.monotonic() + 3600) as stop:
        assert stop.reason is None
    with StopRequest(time.monotonic() - 1) as stop:
        assert stop.reason == "its time is up"


@pytest.mark.parametrize("minutes", [0, -1, float("nan")])
def test_minutes_must_be_above_zero(minutes: float) -> None:
    with pytest.raises(SerError, match="--max-minutes"):
        deadline_after(minutes)


def test_deadline() -> None:
    assert deadline_after(None) is None
    deadline = deadline_after(2)
    assert deadline == pytest.approx(time.monotonic() + 120, abs=5)
