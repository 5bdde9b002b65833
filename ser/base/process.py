"""Worker processes that do not outlive the program that started them, and what they may use."""

import contextlib
import math
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType


def end_with_parent() -> None:
    """Ends this worker as soon as its parent is gone, also when that was killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "called in a worker process"

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextlib.contextmanager
def exit_on_sigterm() -> Iterator[None]:
    """Within the block SIGTERM ends this program by ``SystemExit``, so that it can tidy up.

    Further ones are ignored: whoever ends a group of processes often sends it twice.
    """

    def leave(number: int, _: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def sigterm_held() -> Iterator[None]:
    """Within the block SIGTERM waits; a process that is started there begins by holding it too."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def num_cores() -> int:
    """The cores that this process may use, at least one.

    What Slurm granted to its task, else its affinity, or less where a container has a smaller share
    (the CPU quota of its cgroup).
    """
    granted = os.environ.get("SLURM_CPUS_PER_TASK")
    if granted:
        return int(granted)
    cores = usable_cores()
    quota = _cgroup_quota(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))
    return cores if quota is None else max(1, min(cores, math.floor(quota)))


def usable_cores() -> int:
    """The cores that the system schedules this process on."""
    if hasattr(os, "sched_getaffinity"):  # neither on macOS nor on Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cgroup_quota(own: Path, root: Path) -> float | None:
    """The smallest CPU quota of this process's cgroups, in cores; None where there is none."""
    if not own.exists():
        return None
    quotas = []
    for line in own.read_text().splitlines():
        _, controllers, name = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        # A container may see its own cgroup as the root, whatever it is called outside.
        folder = root / controllers / name.lstrip("/")
        for place in (folder, *folder.parents):
            quotas.append(_quota(place))
            if place in (root, root / controllers):
                break
    return min((quota for quota in quotas if quota is not None), default=None)


def _quota(folder: Path) -> float | None:
    """Of one cgroup, of version 2 or 1."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        quota, period = (folder / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        quota = (folder / "cpu.cfs_quota_us").read_text()
        period = (folder / "cpu.cfs_period_us").read_text()
        return None if int(quota) < 0 else int(quota) / int(period)
    return None


def threads_per_job(num_jobs: int) -> int:
    """The share of this machine's cores that one of so many runs gets."""
    return max(1, num_cores() // num_jobs)


def threads_per_process() -> int:
    """The same for a process of ``torchrun``, which says how many there are on this machine."""
    return threads_per_job(int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
