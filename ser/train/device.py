"""Where a run computes, and with how many threads."""

import torch

from ser.base.errors import SerError
from ser.base.process import num_cores


def choose_device(num_gpus: int) -> torch.device:
    """The GPU where one is asked for, else the CPU.

    Raises:
        SerError: A GPU is asked for and PyTorch sees none, or more than one is asked for.
    """
    if num_gpus == 0:
        return torch.device("cpu")
    if num_gpus > 1:
        raise SerError(f"--ngpu {num_gpus}: a run uses one GPU; expected 0 or 1; use --ngpu 1")
    if not torch.cuda.is_available():
        raise SerError("--ngpu 1: PyTorch sees no GPU; expected one; use --ngpu 0, or mend CUDA")
    return torch.device("cuda")


def prepare_process(num_threads: int, seed: int) -> None:
    """Sets threads and seed. Numbers too small to matter are taken as zero: they slow CPUs."""
    torch.set_num_threads(num_threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(seed)


def threads_per_job(num_jobs: int) -> int:
    """The share of this machine's cores that one of so many runs gets."""
    return max(1, num_cores() // num_jobs)
