"""Threads and seed of a process."""

import os

import torch


def prepare_process(num_threads: int, seed: int) -> None:
    """Sets threads and seed. Numbers too small to matter are taken as zero: they slow CPUs."""
    torch.set_num_threads(num_threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(seed)


def threads_per_job(num_jobs: int) -> int:
    """The share of this machine's cores that one of so many runs gets."""
    return max(1, len(os.sched_getaffinity(0)) // num_jobs)


def threads_per_process() -> int:
    """The same for a process of ``torchrun``, which says how many there are on this machine."""
    return threads_per_job(int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
