"""The processes that train one model together: torch.distributed, started by ``torchrun``."""

import atexit
import gc
import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from torch import distributed

from ser.base.errors import SerError, SharedError, StoppedError, describe

Outcome = TypeVar("Outcome")
# For what the first process does alone: it may pass 960 h of speech through a frozen encoder. One
# that ends is noticed at once; torch's own 10 to 30 minutes would end the others before.
LONGEST_WAIT = timedelta(days=2)


@dataclass(frozen=True)
class Distributed:
    """This process among those of the run; alone unless ``torchrun`` started it.

    Attributes:
        rank: Its number, from 0.
        size: How many there are.
        device: Where this one computes.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    @property
    def share(self) -> slice:
        """Of what is shared out to the processes, what is this one's."""
        return slice(self.rank, None, self.size)

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """The sum over all processes; every one must ask for it."""
        if self.size > 1:
            distributed.all_reduce(values)
        return values

    def on_first(self, function: Callable[[], Outcome]) -> Outcome:
        """Calls a function in the first process alone; all get what it returns.

        Raises:
            SerError: It failed there for a reason that a user can correct: all processes raise it.
            StoppedError: It was stopped there, likewise.
        """
        if self.size == 1:
            return function()
        outcome: list[Outcome | None] = [None]
        failure: list[tuple[bool, str] | None] = [None]  # whether it was only stopped, and why
        if self.is_first:
            try:
                outcome[0] = function()
            except (SerError, OSError) as error:
                failure[0] = isinstance(error, StoppedError), describe(error)
        distributed.broadcast_object_list(outcome)
        distributed.broadcast_object_list(failure)
        if failure[0] is not None:
            is_stopped, said = failure[0]
            raise (StoppedError if is_stopped else SharedError)(*said.split("\n"))
        return outcome[0]  # type: ignore[return-value]  # what the first process returned

    def error(self, message: str) -> SerError:
        """The error for what all processes see alike, so that it is reported once."""
        return SharedError(message) if self.size > 1 else SerError(message)


def one_device(num_gpus: int) -> torch.device:
    """For what one process computes: a GPU where the run has any, else the CPU."""
    return init_distributed(min(1, num_gpus)).device


def init_distributed(num_gpus: int) -> Distributed:
    """Joins the processes that ``torchrun`` started beside this one, if any.

    Args:
        num_gpus: GPUs of this run on this machine; 0 computes on the CPU.

    Raises:
        SerError: There are fewer GPUs than asked for, or not one process for each.
    """
    size, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    here, place = int(os.environ.get("LOCAL_WORLD_SIZE", "1")), os.environ.get("LOCAL_RANK", "0")
    device = torch.device("cpu")
    check_gpus(num_gpus)
    if num_gpus:
        if here != num_gpus:
            raise SerError(
                f"--ngpu {num_gpus}: {here} processes on this machine; expected one for each GPU; "
                f"start the program by torchrun --standalone --nproc-per-node {num_gpus} -m ..."
            )
        device = torch.device("cuda", int(place))
        torch.cuda.set_device(device)
        # float32 products in TF32, as PyTorch has it for convolutions anyway
        torch.set_float32_matmul_precision("high")
    if size > 1 and not distributed.is_initialized():
        # DistributedDataParallel imports it. Its functions have the group of that time as default
        # arguments, which would keep it to the end of the process: see end_distributed.
        importlib.import_module("torch.distributed.nn.functional")
        distributed.init_process_group("nccl" if num_gpus else "gloo", timeout=LONGEST_WAIT)
        atexit.register(end_distributed)
    return Distributed(rank, size, device)


def end_distributed() -> None:
    """Parts from the other processes, before the interpreter ends.

    A thread of the process group that lives on while the interpreter ends may abort the process,
    although all work is done. The group keeps its threads while something holds it, as a wrapped
    network does that is garbage in a cycle.
    """
    gc.collect()
    distributed.destroy_process_group()
    gc.collect()


def check_gpus(num_gpus: int) -> None:
    """Looks whether this machine has so many GPUs.

    Raises:
        SerError: It has fewer.
    """
    found = torch.cuda.device_count()
    if found < num_gpus:
        raise SerError(
            f"--ngpu {num_gpus}: PyTorch sees {found} GPUs; expected {num_gpus}; use fewer (0 "
            "computes on the CPU), or repair CUDA"
        )


def prepare_process(num_threads: int, seed: int) -> None:
    """Sets threads and seed. Flushes denormal numbers to zero: they slow CPUs."""
    torch.set_num_threads(num_threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(seed)
