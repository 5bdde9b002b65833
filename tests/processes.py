"""What tests ask of processes that they started."""

import os
import time
from collections.abc import Callable


def is_running(pid: int) -> bool:
    """Whether a process runs; one that ended, and whose parent has not asked how, does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as stream:  # noqa: PTH123 - it may vanish: one call
        return stream.read().rpartition(")")[2].split()[0] != "Z"


def wait_until(is_so: Callable[[], object], seconds: float = 60) -> None:
    """Waits, and fails where it is not so in time."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)
