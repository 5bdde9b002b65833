"""Out of memory: found before the first epoch, and reported with what to change."""

import contextlib
from collections.abc import Iterator, Sequence

import torch

from ser.base.errors import SerError
from ser.config.schema import TrainingConfig
from ser.data.sampler import split_by_frames


@contextlib.contextmanager
def out_of_memory_named(training: TrainingConfig, what: str) -> Iterator[None]:
    """Turns PyTorch's errors of a full memory into one that names the key to change.

    Args:
        training: Holds the key.
        what: What was computed, for the message.

    Raises:
        SerError: The memory is full.
    """
    try:
        yield
    except RuntimeError as error:  # of which torch.OutOfMemoryError is one
        if not isinstance(error, torch.OutOfMemoryError) and "allocate memory" not in str(error):
            raise
        reason = str(error).splitlines()[0]
        raise SerError(
            f"training.max_frames_in_memory {training.max_frames_in_memory}: {what} does not fit "
            f"into memory ({reason}); lower the key, the batch stays the same; "
            "a single utterance that does not fit must be cut or left out"
        ) from error


def worst_micro_batch(
    num_frames: Sequence[int], training: TrainingConfig, num_processes: int
) -> list[int]:
    """The largest micro-batch that one process may have to hold: the longest utterances.

    Args:
        num_frames: T of each utterance.
        training: Batch size and what fits into memory.
        num_processes: Who share a batch.

    Returns:
        Indices of the utterances, the longest first.
    """
    longest = sorted(range(len(num_frames)), key=lambda i: -num_frames[i])
    share = longest[: -(-training.batch_size_utts // num_processes)]
    micro_batches = split_by_frames([num_frames[i] for i in share], training.max_frames_in_memory)
    return [share[position] for position in micro_batches[0]]
