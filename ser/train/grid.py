"""System x seed x fold: the runs side by side, each with its share of the threads."""

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

import torch
from tqdm import tqdm

from ser.base.errors import SerError
from ser.base.log import log_to_console, logger
from ser.base.process import end_with_parent
from ser.train.finetune import FinetuneRun, finetune, finetune_record
from ser.train.world import check_gpus


def finetune_all(runs: Sequence[FinetuneRun], num_jobs: int) -> None:
    """Carries out all runs, ``num_jobs`` at a time; a failed one does not stop the others.

    Raises:
        SerError: Before anything is trained: a configuration is wrong, or an input is missing or
            stale. At the end: runs failed; each is named with its reason.
    """
    for run in runs:
        check_gpus(run.num_gpus)
        finetune_record(run)
    failed: dict[str, str] = {}
    if num_jobs == 1:
        for run in runs:
            logger.info("%s", run.name)
            if reason := _attempt(run):
                failed[run.name] = reason
    else:
        failed = _side_by_side(runs, num_jobs)
    if failed:
        reasons = "\n  ".join(f"{name}: {reason}" for name, reason in failed.items())
        raise SerError(
            f"{len(failed)} of {len(runs)} runs failed; rerun does those alone:\n  {reasons}"
        )


def _side_by_side(runs: Sequence[FinetuneRun], num_jobs: int) -> dict[str, str]:
    failed = {}
    with (
        ProcessPoolExecutor(
            num_jobs, multiprocessing.get_context("spawn"), initializer=_start_worker
        ) as pool,
        tqdm(total=len(runs), desc="runs", unit="run", disable=None) as bar,
    ):
        waiting = {pool.submit(_attempt, run): run for run in runs}
        while waiting:
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                run = waiting.pop(future)
                bar.update()
                try:
                    reason = future.result()
                except BrokenProcessPool:
                    reason = f"its process was killed; the log is {run.folder}/train.log"
                if reason:
                    failed[run.name] = reason
                else:
                    logger.info("%s: done", run.name)
    return failed


def _attempt(run: FinetuneRun) -> str | None:
    """Carries out one run; returns why it failed, if it did."""
    try:
        finetune(run)
    except (SerError, OSError, torch.OutOfMemoryError) as error:
        return str(error)
    return None


def _start_worker() -> None:
    """Quiet but for warnings: the parent's log tells of the runs."""
    end_with_parent()
    log_to_console(quiet=True)
