"""Out of memory: found before the first epoch, and reported with what to change.

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

    Of all batches that could be drawn: the one with the longest utterance, whose attention is the
    largest, and the one with most padded frames.

    Args:
        num_frames: T of each utterance.
        training: Batch size and what fits into memory.
        num_processes: Who share a batch.

    Returns:
        Indices of the utterances, the longest first; one micro-batch where it is both.
    """
    order = sorted(range(len(num_frames)), key=lambda i: -num_frames[i])
    share = -(-training.batch_size_utts // num_processes)

    def micro_batch(first: int) -> list[int]:
        size = min(share, training.max_frames_in_memory // num_frames[order[first]])
        return order[first : first + max(size, 1)]

    fullest = max(
        range(len(order)), key=lambda first: num_frames[order[first]] * len(micro_batch(first))
    )
    return [micro_batch(first) for first in sorted({0, fullest})]
