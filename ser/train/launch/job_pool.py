"""Jobs side by side, each in a process of its own: what befalls one leaves the others alone.

The runs of stage 4 are such jobs (``run.sh --jobs``).
"""

import contextlib
import ctypes
import multiprocessing
import os
import signal
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing import connection, resource_tracker
from multiprocessing.context import ForkServerProcess
from typing import Generic, TypeVar

from ser.base.errors import GO_ON, SerError, StoppedError, describe
from ser.base.log import log_to_console, logger
from ser.base.process import end_with_parent, ending_held

POLL_SECONDS = 0.5
MAX_TMPDIR_BYTES = 75  # the path of a socket has 107, of which multiprocessing takes 32
MAX_REASON = 8000  # characters: what is sent fits into a pipe that nobody reads meanwhile, 64 KB
LEAVE_SECONDS = 60.0  # what a job has to write its checkpoint where this program is to end

Task = TypeVar("Task")
Report = Callable[[int, int], None]  # steps done, steps in all
Work = Callable[[Task, int, Report], None]


@dataclass(frozen=True)
class Ending:
    """How a job ended.

    Attributes:
        reason: Why it did not finish; None where it did.
        stopped: Whether it left because it was asked to, and would go on if started again.
    """

    reason: str | None = None
    stopped: bool = False


@dataclass(frozen=True)
class _Job:
    index: int
    place: int
    process: ForkServerProcess
    pipe: connection.Connection


def require_short_paths() -> None:
    """Looks whether the sockets of jobs find room in the folder of temporary files.

    Raises:
        SerError: Its path is too long.
    """
    place = tempfile.gettempdir()
    if len(os.fsencode(place)) > MAX_TMPDIR_BYTES:
        raise SerError(
            f"TMPDIR {place}: {len(os.fsencode(place))} bytes; expected at most "
            f"{MAX_TMPDIR_BYTES}, since sockets of the jobs lie there; set TMPDIR=/tmp"
        )


class JobPool(Generic[Task]):
    """Jobs of which so many are at work at a time; to be used in a ``with`` block.

    Leaving the block ends the jobs that are still at work: they get SIGTERM and finish their step
    and its checkpoint. Where an exception left it, as Ctrl-C does, they have a minute, then
    SIGKILL. They end too when this program is killed.

    Args:
        work: What is done in the job's process: called with the task, the job's place among those
            at work (from 0), and a function that takes the steps done and all steps. It can be
            imported by name.
        tasks: One for each job.
        num_jobs: Jobs at work at a time.
        preload: The modules whose import takes long; they are imported once for all jobs.
    """

    def __init__(
        self, work: Work[Task], tasks: Sequence[Task], num_jobs: int, preload: Sequence[str]
    ) -> None:
        require_short_paths()
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(preload))
        self._work = work
        self._waiting = deque(enumerate(tasks))
        self._places = list(range(num_jobs))
        self._running: list[_Job] = []
        self._stops = False
        # Of each job: how much is done, and was when it went on from an earlier call.
        self._shares, self._earlier = (
            self._context.RawArray(ctypes.c_double, len(tasks)) for _ in range(2)
        )

    @property
    def num_running(self) -> int:
        """Jobs at work."""
        return len(self._running)

    @property
    def done(self) -> float:
        """How much is done, in jobs: 1.5 is one whole job and half of another."""
        return sum(self._shares)

    @property
    def done_earlier(self) -> float:
        """How much of it an earlier call had done, as far as the jobs at work have told."""
        return sum(self._earlier)

    def __iter__(self) -> Iterator[dict[int, Ending]]:
        """Starts what there is room for and yields, twice a second or more often, what ended."""
        while self._waiting or self._running:
            while self._waiting and self._places:
                self._start(*self._waiting.popleft(), self._places.pop(0))
            connection.wait([job.process.sentinel for job in self._running], POLL_SECONDS)
            ended = [job for job in self._running if not job.process.is_alive()]
            for job in ended:
                self._running.remove(job)
                self._places.append(job.place)
            yield {job.index: _ending(job, self._stops) for job in ended}

    def stop(self) -> None:
        """Asks the jobs at work to leave, and starts no others; how they end is yielded still."""
        if self._stops:
            return
        self._stops = True
        logger.info("stopping what is at work (%s); %s", len(self._running), GO_ON)
        self._waiting.clear()
        for job in self._running:
            job.process.terminate()

    def _start(self, index: int, task: Task, place: int) -> None:
        here, there = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=_carry_out,
            args=(self._work, task, place, self._shares, self._earlier, index, there),
        )
        # The server that forks the jobs is started here too and holds both signals for good: one
        # that goes to all processes of this program must not end it before the jobs that it
        # watches, nor interrupt its imports.
        # Python's resource tracker would let SIGTERM through as it starts, so it starts before.
        resource_tracker.ensure_running()
        with ending_held():
            process.start()
            self._running.append(_Job(index, place, process, here))
        there.close()

    def __enter__(self) -> "JobPool[Task]":
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if self._running:
            self.stop()
        deadline = time.monotonic() + LEAVE_SECONDS
        try:
            for job in self._running:
                job.process.join(max(0.0, deadline - time.monotonic()) if kind else None)
        finally:
            for job in self._running:
                job.process.kill()


def _carry_out(
    work: Work[Task],
    task: Task,
    place: int,
    shares: "ctypes.Array[ctypes.c_double]",
    earlier: "ctypes.Array[ctypes.c_double]",
    index: int,
    pipe: connection.Connection,
) -> None:
    """What a job's process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which sends SIGTERM
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    end_with_parent()
    log_to_console(quiet=True)

    def report(steps: int, num_steps: int) -> None:
        if not shares[index]:  # the first step of this call
            earlier[index] = (steps - 1) / num_steps
        shares[index] = steps / num_steps

    try:
        work(task, place, report)
        shares[index] = 1.0
        ending = Ending()
    except StoppedError as error:
        ending = Ending(str(error), stopped=True)
    except (SerError, OSError) as error:
        ending = Ending(describe(error))
    except Exception as error:  # whatever it is, the others go on
        ending = Ending(f"{type(error).__name__}: {error}")
    pipe.send(replace(ending, reason=ending.reason and ending.reason[:MAX_REASON]))


def _ending(job: _Job, stops: bool) -> Ending:
    """What a job's process said last or, where it could not say anything, how it ended.

    Args:
        job: Its process has ended.
        stops: Whether it was asked to leave, perhaps before it could say so.
    """
    job.process.join()
    # Not recv() alone: workers of a killed process may hold the other end open a little longer.
    with job.pipe, contextlib.suppress(EOFError):
        if job.pipe.poll():
            said: Ending = job.pipe.recv()
            return said
    status = job.process.exitcode or 0
    if stops and status == -signal.SIGTERM:
        return Ending(f"a run was stopped before its first step; {GO_ON}", stopped=True)
    how = (
        f"was killed by {signal.Signals(-status).name}"
        if status < 0
        else f"ended with status {status}"
    )
    return Ending(f"its process {how}; is the memory full?")
