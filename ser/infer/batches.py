"""Which recordings or windows pass through a network together."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ser.base.arrays import Floats
from ser.base.errors import SerError
from ser.data.sampler import split_by_frames
from ser.infer.result import Result
from ser.infer.windows import Segment, memory_named

if TYPE_CHECKING:
    from ser.infer.model import Model

MAX_FRAMES = 30_000  # padded frames of a batch
AHEAD = 64  # files that are read before they are predicted, or a batch where it is larger
MAX_AHEAD = 64_000_000  # their samples, 256 MB: an hour at 16 kHz

Waiting = tuple[Path, Segment | Result | SerError]  # a file that is read, or done with already


def read_ahead(files: Iterable[Waiting], batch_size: int) -> Iterator[list[Waiting]]:
    """Files in the groups in which they are predicted, of bounded memory however large a batch."""
    group: list[Waiting] = []
    held = 0
    for path, item in files:
        group.append((path, item))
        held += len(item.samples) if isinstance(item, Segment) else 0
        if len(group) == max(AHEAD, batch_size) or held > MAX_AHEAD:
            yield group
            group, held = [], 0
    yield group


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
