"""What one process of a distributed run does in each optimiser step of an epoch."""

from collections.abc import Sequence
from dataclasses import dataclass

from ser.data.sampler import split_by_frames


@dataclass(frozen=True)
class Step:
    """One process's part in one optimiser step.

    Attributes:
        batch: All utterances of the step, over all processes.
        parts: This process's, cut into what fits into memory at once.
        weight: 1; or 0 where there are fewer utterances than processes and this one computes
            another's, because all must take part in the exchange of gradients.
    """

    batch: Sequence[int]
    parts: Sequence[Sequence[int]]
    weight: int


def share_steps(
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
        parts = split_by_frames([num_frames[i] for i in mine], max_frames)
        steps.append(Step(batch, [[mine[p] for p in part] for part in parts], weight))
    return steps
