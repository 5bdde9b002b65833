"""Worker processes that do not outlive the program that started them, and what they may use."""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType

WATCH_SECONDS = 1.0


def end_with_parent() -> None:
    """Ends this worker as soon as its parent is gone, also when that was killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "called in a worker process"

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def end_with_run_script() -> None:
    """Sends this program SIGTERM when the ``run.sh`` that it works for is ended alone.

    A shell that is ended leaves its programs behind, and a training would go on unseen.
    ``SER_RUN_PID`` (of ``tools/recipe.sh``) is the shell's process; without it nothing is done.
    """
    script = os.environ.get("SER_RUN_PID", "")
    if not script.isdecimal():
        return
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent and is_alive(int(script)):
            time.sleep(WATCH_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def is_alive(process: int) -> bool:
    """Whether there is a process of this number."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # somebody else's
    return True


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
def ending_held() -> Iterator[None]:
    """Within the block SIGTERM and Ctrl-C wait; a process that is started there holds them too."""
    held = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, held)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, held)


def default_jobs() -> int:
    """Runs side by side on CPUs where nobody says how many."""
    return min(4, num_cores())


def num_cores() -> int:
    """The cores that this process may use: what Slurm granted to its task, or what joblib counts.

    joblib knows affinity and a container's share of the CPUs.
    """
    granted = os.environ.get("SLURM_CPUS_PER_TASK")
    if granted:
        return int(granted)
    from joblib import cpu_count  # takes a quarter of a second to import

    return int(cpu_count())


def threads_per_job(num_jobs: int) -> int:
    """The share of this machine's cores that one of so many runs gets."""
    return max(1, num_cores() // num_jobs)


def threads_per_process() -> int:
    """The same for a process of ``torchrun``, which says how many there are on this machine."""
    return threads_per_job(int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
