"""Leaving in time: a signal, or the minutes that a run was given."""

import signal
import time
from types import FrameType

from ser.base.errors import SerError

SIGNALS = (signal.SIGTERM, signal.SIGINT)

MAX_MINUTES = 1_000_000  # two years


def deadline_after(minutes: float | None) -> float | None:
    """``time.monotonic()`` in so many minutes; None for no limit.

    Raises:
        SerError: The minutes are not above 0.
    """
    if minutes is None:
        return None
    if not 0 < minutes <= MAX_MINUTES:
        raise SerError(
            f"--max-minutes {minutes:g}: expected more than 0, at most {MAX_MINUTES}; "
            "leave it out for no limit"
        )
    return time.monotonic() + 60 * minutes


class StopRequest:
    """Whether a run should write a checkpoint and leave.

    Within the block SIGTERM and the first Ctrl-C only ask for it; a second Ctrl-C ends the process
    as it would outside. A second SIGTERM changes nothing: where a whole job is ended, its processes
    get one each and another from the parent that passes its own on.

    Args:
        deadline: ``time.monotonic()`` at which the time is up, or None.
    """

    def __init__(self, deadline: float | None = None) -> None:
        self._deadline = deadline
        self._received: str | None = None

    def __enter__(self) -> "StopRequest":
        self._outside = {number: signal.signal(number, self._receive) for number in SIGNALS}
        return self

    def _receive(self, number: int, _: FrameType | None) -> None:
        self._received = signal.Signals(number).name
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, self._outside[signal.SIGINT])

    def __exit__(self, *error: object) -> None:
        for number, handler in self._outside.items():
            signal.signal(number, handler)

    @property
    def reason(self) -> str | None:
        """Why to leave, or None."""
        if self._received is None and self._deadline and time.monotonic() > self._deadline:
            return "its time is up"
        return self._received
