"""Batches of so many utterances, of similar length, in an order that the seed and epoch fix."""

from collections.abc import Sequence

import numpy as np


def epoch_batches(
    num_frames: Sequence[int], batch_size: int, length_jitter_prob: float, seed: int, epoch: int
) -> list[list[int]]:
    """The batches of one epoch: every utterance once.

    Utterances are sorted by their length times a random factor near 1 and cut into batches, whose
    order is shuffled. One batch alone may be smaller; its place in the sorted order is random, so
    that the other cuts move too.

    Args:
        num_frames: T of each utterance.
        batch_size: Utterances a batch.
        length_jitter_prob: Each length is taken up to this share longer or shorter than it is:
            more means more padding and more chance.
        seed: The run's seed.
        epoch: Counted from 0.

    Returns:
        Indices of the utterances, by batch.
    """
    random = np.random.default_rng([seed, epoch])
    factors = random.uniform(1 - length_jitter_prob, 1 + length_jitter_prob, len(num_frames))
    order = np.argsort(np.asarray(num_frames) * factors, kind="stable")
    sizes = np.full(-(-len(order) // batch_size), batch_size)
    sizes[random.integers(len(sizes))] -= sizes.sum() - len(order)
    batches = np.split(order, np.cumsum(sizes)[:-1])
    return [batches[i].tolist() for i in random.permutation(len(batches))]


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
