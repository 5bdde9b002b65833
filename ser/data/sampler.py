"""Batches of so many utterances, of similar length, in an order that the seed and epoch fix."""

from collections.abc import Sequence

import numpy as np


def epoch_batches(
    num_frames: Sequence[int], batch_size: int, bucket_size: int, seed: int, epoch: int
) -> list[list[int]]:
    """The batches of one epoch: every utterance once.

    Utterances are shuffled, cut into buckets of ``bucket_size`` batches, sorted by length within
    a bucket and cut into batches, whose order is shuffled. Only the last batch may be smaller.

    Args:
        num_frames: T of each utterance.
        batch_size: Utterances a batch.
        bucket_size: Batches a bucket; more means less padding and less chance.
        seed: The run's seed.
        epoch: Counted from 0.

    Returns:
        Indices of the utterances, by batch.
    """
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(num_frames))
    lens = np.asarray(num_frames)
    size = batch_size * bucket_size
    batches: list[list[int]] = []
    for start in range(0, len(order), size):
        bucket = order[start : start + size]
        bucket = bucket[np.argsort(lens[bucket], kind="stable")]
        batches += [bucket[i : i + batch_size].tolist() for i in range(0, len(bucket), batch_size)]
    return [batches[i] for i in random.permutation(len(batches))]


def sorted_batches(num_frames: Sequence[int], batch_size: int) -> list[list[int]]:
    """Batches for evaluation, the longest first: least padding, memory's worst case at once."""
    order = np.argsort(-np.asarray(num_frames), kind="stable")
    return [order[i : i + batch_size].tolist() for i in range(0, len(order), batch_size)]


def split_by_frames(lens: Sequence[int], max_frames: int) -> list[list[int]]:
    """Cuts a batch into parts of at most ``max_frames`` padded frames (or one utterance).

    Args:
        lens: T of each utterance of the batch.
        max_frames: Padded frames that fit into memory.

    Returns:
        Positions in the batch, by part, longest first.
    """
    parts: list[list[int]] = []
    for position in sorted(range(len(lens)), key=lambda i: -lens[i]):
        # The first of a part is its longest, to which the others are padded.
        if not parts or lens[parts[-1][0]] * (len(parts[-1]) + 1) > max_frames:
            parts.append([])
        parts[-1].append(position)
    return parts
