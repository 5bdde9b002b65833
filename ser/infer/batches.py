"""Which recordings or windows pass through a network together."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ser.base.arrays import Floats
from ser.data.sampler import split_by_frames
from ser.infer.windows import Segment, memory_named

if TYPE_CHECKING:
    from ser.infer.model import Model

MAX_FRAMES = 30_000  # padded frames of a batch


def batches(
    model: "Model", segments: Sequence[Segment]
) -> Iterator[tuple[list[int], list[Floats]]]:
    """The numbers of the segments of each batch, the longest first, and the engine's inputs.

    Args:
        model: Whose engine computes them; ``batch_size`` at most are together.
        segments: All.
    """
    with np.errstate(all="ignore"), memory_named(segments):  # an overflow is reported later
        inputs = [model.engine_input(segment.samples) for segment in segments]
    lens = [len(x) for x in inputs]
    if model.features_inside:
        lens = [model.fbank.num_frames(n) for n in lens]
    order = sorted(range(len(segments)), key=lambda i: -lens[i])
    for first in range(0, len(order), model.batch_size):
        batch = order[first : first + model.batch_size]
        for part in split_by_frames([lens[i] for i in batch], MAX_FRAMES):
            members = [batch[i] for i in part]
            yield members, [inputs[i] for i in members]
