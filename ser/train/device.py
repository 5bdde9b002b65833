"""Threads and seed of a process."""

import torch


def prepare_process(num_threads: int, seed: int) -> None:
    """Sets threads and seed. Numbers too small to matter are taken as zero: they slow CPUs."""
    torch.set_num_threads(num_threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(seed)
