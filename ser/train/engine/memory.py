"""Out of memory: found in the first two steps, and reported with what to change.

The largest micro-batches are rehearsed; Adam's moments come with the first step.
How much a training needs is reckoned by ``ser.train.estimate``; ``ser.doctor.resources`` refuses
what cannot even hold weights, moments and loaders.
"""

import contextlib
from collections.abc import Iterator, Sequence

from ser.base.errors import SerError, is_out_of_memory, reason_of
from ser.config.schema import TrainingConfig


@contextlib.contextmanager
def out_of_memory_named(max_frames: int, what: str) -> Iterator[None]:
    """Turns PyTorch's errors of a full memory into one that names the key to change.

    Args:
        max_frames: The key: ``max_frames_in_memory``, or less.
        what: What was computed, for the message.

    Raises:
        SerError: The memory is full.
    """
    try:
        yield
    except RuntimeError as error:  # of which torch.OutOfMemoryError is one
        if not is_out_of_memory(error):
            raise
        raise SerError(
            f"training.max_frames_in_memory: {what}, of at most {max_frames} padded frames, does "
            f"not fit into memory ({reason_of(error)}); set the key below {max_frames}: the batch "
            "stays the same, and the run goes on; a single utterance that does not fit must be cut "
            "or left out"
        ) from error


def largest_micro_batches(
    num_frames: Sequence[int], training: TrainingConfig, num_processes: int
) -> list[list[int]]:
    """The largest micro-batches that one process may have to hold.

    Of all batches that could be drawn: the one with the longest utterance, the one with most padded
    frames, and the one whose attention is the largest, which grows with their square.

    Args:
        num_frames: T of each utterance.
        training: Batch size and what fits into memory.
        num_processes: Who share a batch.

    Returns:
        Indices of the utterances, the longest first; one micro-batch where it is several of them.
    """
    order = sorted(range(len(num_frames)), key=lambda i: -num_frames[i])
    share = -(-training.batch_size_utts // num_processes)

    def micro_batch(first: int) -> list[int]:
        size = min(share, training.max_frames_in_memory // num_frames[order[first]])
        return order[first : first + max(size, 1)]

    largest = {0}
    for power in (1, 2):
        sizes = [len(micro_batch(i)) * num_frames[order[i]] ** power for i in range(len(order))]
        largest.add(sizes.index(max(sizes)))
    return [micro_batch(first) for first in sorted(largest)]
