"""System x seed x fold: the runs side by side on one machine."""

import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from ser.base.errors import GO_ON, SerError, StoppedError
from ser.base.log import logger
from ser.base.process import exit_on_sigterm, num_cores
from ser.train.frozen import encodings_of
from ser.train.launch.job_pool import JobPool, Report
from ser.train.resolve import FinetuneRun, ResolvedRun, resolve
from ser.train.training_folder import tidy_training_folder

NUM_LOG_LINES = 5
CLOCK_SECONDS = 2  # by which the times of files may differ from the clock here
TELL_EVERY_SECONDS = 60  # without a terminal
NUM_SEEN = 11  # a minute or more apart
# What takes seconds to import: torch, and what its optimisers import when the first one is made.
PRELOAD = ("ser.train.finetune", "torch._dynamo")
RERUN = "rerun the command to do those alone"


def finetune_all(runs: Sequence[FinetuneRun], num_jobs: int) -> None:
    """Carries out the runs that are not finished, ``num_jobs`` at a time.

    Each has a process, and with GPUs one of them, for itself: one that fails or is killed does not
    touch the others.

    Raises:
        SerError: Before anything is trained: a configuration is wrong, an input is missing or
            stale, or there are fewer GPUs than asked for. At the end: runs failed; each is named
            with its reason and the end of its log.
        StoppedError: The time was up, or runs were asked to leave.
    """
    devices = visible_gpus(runs[0].num_gpus)
    unfinished = list(unfinished_runs(runs).values())
    deadline = runs[0].deadline
    failures = []
    encode_first(unfinished)
    started = time.time() - CLOCK_SECONDS
    with (
        exit_on_sigterm(),
        Display(len(unfinished)) as display,
        JobPool(partial(_carry_out, devices), unfinished, num_jobs, PRELOAD) as jobs,
    ):
        for ended in jobs:
            for index, ending in ended.items():
                run = unfinished[index].run
                if ending.reason is None:
                    display.finished(run)
                elif ending.stopped:
                    logger.info("%s", ending.reason)
                else:
                    display.failed(run, ending.reason)
                    log = run.folder / "train.log"
                    failures.append(describe_failure(run, ending.reason, log, since=started))
            display.show(jobs.done, f"{jobs.num_running} running, ", jobs.done_earlier)
            if deadline and time.monotonic() > deadline:
                jobs.stop()
    if failures:
        raise SerError(*failure_report(failures, len(unfinished)))
    if display.num_finished < len(unfinished):
        raise StoppedError(
            f"stopped with {display.num_finished} of {len(unfinished)} runs finished; {GO_ON}"
        )


def encode_first(runs: Sequence[ResolvedRun]) -> None:
    """What frozen encoders give is computed before the runs, on all cores, for all of them.

    Raises:
        SerError: An input is missing or stale.
        StoppedError: The time was up.
    """
    wanted = encodings_of(runs)
    if not wanted:
        return
    import torch

    from ser.train.encoded import encode_features
    from ser.train.engine.distributed import (
        one_device,
        prepare_process,  # torch takes seconds to import
    )

    run = runs[0].run
    prepare_process(num_cores(), run.seed)
    device = one_device(run.num_gpus)
    for encoding in wanted:
        encode_features(encoding, device, run.deadline)
    if device.type == "cuda":  # of this process, while runs in others use the same GPU
        torch.cuda.empty_cache()


def _carry_out(devices: Sequence[str], resolved: ResolvedRun, place: int, report: Report) -> None:
    from ser.train.finetune import finetune_resolved

    # tqdm would make one of multiprocessing's, which a process that is killed leaves behind.
    tqdm.set_lock(threading.RLock())
    if devices:
        # Before CUDA starts in this process, which then sees this one GPU.
        os.environ["CUDA_VISIBLE_DEVICES"] = devices[place % len(devices)]
        resolved = replace(resolved, run=replace(resolved.run, num_gpus=1))
    finetune_resolved(resolved, report)


def visible_gpus(num_gpus: int) -> list[str]:
    """The first GPUs that this program may use, as ``CUDA_VISIBLE_DEVICES`` names them.

    Raises:
        SerError: There are fewer.
    """
    if not num_gpus:
        return []
    from ser.train.engine.distributed import check_gpus

    check_gpus(num_gpus)
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = named.split(",") if named else [str(number) for number in range(num_gpus)]
    return names[:num_gpus]


def unfinished_runs(runs: Sequence[FinetuneRun]) -> dict[int, ResolvedRun]:
    """The runs that are still to be done, by their place in the list.

    Raises:
        SerError: A configuration is wrong, or an input is missing or stale.
    """
    unfinished = {}
    for number, run in enumerate(map(resolve, runs)):
        if run.record.is_finished():
            tidy_training_folder(run.record.folder)
        else:
            unfinished[number] = run
    if len(unfinished) < len(runs):
        logger.info("%s of %s runs are finished already", len(runs) - len(unfinished), len(runs))
    return unfinished


def last_lines(log: Path) -> list[str]:
    """The last lines of a log, indented; none where there is no log."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return [f"      {line}" for line in text.splitlines()[-NUM_LOG_LINES:]]


def describe_failure(run: FinetuneRun, reason: str, *logs: Path, since: float = 0.0) -> str:
    """Why a run failed, with the ends of its logs as far as they were written since then."""
    lines = [f"  {run.name}: {reason}"]
    for log in logs:
        if log.exists() and log.stat().st_mtime >= since and (end := last_lines(log)):
            lines += [f"    the end of {log}:", *end]
    return "\n".join(lines)


def failure_report(failures: Sequence[str], num_runs: int) -> list[str]:
    """The lines that are said at the end of runs that failed, each described."""
    lines = (line for failure in failures for line in failure.split("\n"))
    return [f"{len(failures)} of {num_runs} runs failed; {RERUN}:", *lines]


class Display:
    """What a person sees meanwhile: a line for each run that ended, and a bar on a terminal.

    Where there is no terminal, a line every minute stands for the bar. The time that is left is
    told from the last ten minutes in which something was done, since systems take very different
    times.
    """

    def __init__(self, num_runs: int) -> None:
        self.num_finished = self._num_failed = 0
        self._num_runs = num_runs
        self._told = time.monotonic()
        self._seen = deque([(self._told, 0.0)], maxlen=NUM_SEEN)  # when so much was done
        self._redirection = logging_redirect_tqdm([logger])
        self._bar = tqdm(
            total=num_runs,
            disable=None,
            bar_format="{percentage:3.0f}%|{bar}| {n:.1f} of {total} runs [{elapsed}{postfix}]",
        )

    def __enter__(self) -> "Display":
        self._redirection.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()
        self._redirection.__exit__(None, None, None)

    def finished(self, run: FinetuneRun) -> None:
        """Tells of a run that finished."""
        self.num_finished += 1
        logger.info("%s: finished (%s of %s)", run.name, self.num_finished, self._num_runs)

    def failed(self, run: FinetuneRun, reason: str) -> None:
        """Tells of a run that failed."""
        self._num_failed += 1
        logger.error("%s: failed: %s", run.name, reason)

    def show(self, done: float, note: str = "", done_earlier: float = 0.0) -> None:
        """Moves the bar.

        Args:
            done: How much is done, in runs.
            note: What else is known, before the counts.
            done_earlier: How much of it before this call, which took none of its time.
        """
        counts = f"{note}{self.num_finished} finished, {self._num_failed} failed"
        now, progress = time.monotonic(), done - done_earlier
        since, then = self._seen[0]
        left = ""
        if progress > then:
            minutes = (now - since) / 60 * (self._num_runs - done) / (progress - then)
            left = f", about {minutes:.0f} min left"
        if progress > self._seen[-1][1] and now - self._seen[-1][0] >= TELL_EVERY_SECONDS:
            self._seen.append((now, progress))
        self._bar.n = done
        self._bar.set_postfix_str(f"{counts}{left}", refresh=False)
        self._bar.refresh()
        if self._bar.disable and left and now - self._told >= TELL_EVERY_SECONDS:
            logger.info("%.1f of %s runs (%s)%s", done, self._num_runs, counts, left)
            self._told = now
