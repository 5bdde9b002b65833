"""Batches of similar length, in an order that seed and epoch fix, and a process's share of them."""

from collections.abc import Sequence
from dataclasses import dataclass

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


def split_by_frames(
    lens: Sequence[int], max_frames: int, max_utts: int | None = None
) -> list[list[int]]:
    """Cuts a batch into micro-batches of at most ``max_frames`` padded frames (or one utterance).

    Args:
        lens: T of each utterance of the batch.
        max_frames: Padded frames that fit into memory.
        max_utts: Utterances of a micro-batch; None for any number.

    Returns:
        Positions in the batch, by micro-batch, longest first: least padding, and memory's worst
        case at once.
    """
    cut: list[list[int]] = []
    for position in sorted(range(len(lens)), key=lambda i: -lens[i]):
        # The first of a micro-batch is its longest, to which the others are padded.
        size = len(cut[-1]) if cut else 0
        if not cut or size == max_utts or lens[cut[-1][0]] * (size + 1) > max_frames:
            cut.append([])
        cut[-1].append(position)
    return cut


@dataclass(frozen=True)
class Step:
    """One process's share of one optimiser step.

    Attributes:
        batch: All utterances of the step, over all processes.
        micro_batches: This process's, cut into what fits into memory at once.
        weight: 1; or 0 where there are fewer utterances than processes and this one computes
            another's, because all must take part in the exchange of gradients.
    """

    batch: Sequence[int]
    micro_batches: Sequence[Sequence[int]]
    weight: int


def shard_steps(
    batches: Sequence[Sequence[int]],
    num_frames: Sequence[int],
    max_frames: int,
    rank: int = 0,
    size: int = 1,
) -> list[Step]:
    """Deals each batch to the processes by length, so that all have about as much to do.

    Args:
        batches: Indices of utterances, by optimiser step.
        num_frames: T of every utterance.
        max_frames: Padded frames that fit into the memory of one process.
        rank: This process.
        size: Processes.
    """
    steps = []
    for batch in batches:
        longest_first = sorted(batch, key=lambda i: (-num_frames[i], i))
        mine = longest_first[rank::size]
        weight = 1 if mine else 0
        mine = mine or longest_first[-1:]
        cut = split_by_frames([num_frames[i] for i in mine], max_frames)
        steps.append(Step(batch, [[mine[position] for position in c] for c in cut], weight))
    return steps
