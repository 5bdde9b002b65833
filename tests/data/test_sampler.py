"""The sampler: every utterance once an epoch, in an order that seed and epoch fix."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.data.sampler import epoch_batches, sorted_batches, split_by_frames

LENS = np.random.default_rng(0).integers(60, 3000, size=203).tolist()
SIZES = st.lists(st.integers(1, 3000), min_size=1, max_size=70)


@settings(deadline=None)
@given(
    lens=SIZES,
    batch_size=st.integers(1, 20),
    bucket_size=st.integers(1, 5),
    seed=st.integers(0, 5),
    epoch=st.integers(0, 5),
)
def test_every_utterance_once(
    lens: list[int], batch_size: int, bucket_size: int, seed: int, epoch: int
) -> None:
    batches = epoch_batches(lens, batch_size, bucket_size, seed, epoch)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lens)))
    sizes = sorted((len(batch) for batch in batches), reverse=True)
    assert all(size == batch_size for size in sizes[:-1])
    assert 1 <= sizes[-1] <= batch_size
    assert len(batches) == -(-len(lens) // batch_size)


def test_seed_and_epoch_decide() -> None:
    first = epoch_batches(LENS, 16, 4, seed=1, epoch=0)
    assert epoch_batches(LENS, 16, 4, seed=1, epoch=0) == first
    others = [epoch_batches(LENS, 16, 4, s, e) for s, e in ((1, 1), (2, 0), (0, 1))]
    members = [{frozenset(batch) for batch in batches} for batches in (first, *others)]
    for a in range(4):
        for b in range(a):
            assert len(members[a] & members[b]) <= 1, "other batches, not another order alone"


def test_lengths_within_a_batch_are_alike() -> None:
    """Most of the padding of random batches is saved, and more buckets save more."""

    def padded(bucket_size: int) -> float:
        batches = epoch_batches(LENS, 8, bucket_size, seed=1, epoch=0)
        return sum(max(LENS[i] for i in b) * len(b) for b in batches) / sum(LENS)

    assert padded(1) > 1.6
    assert padded(8) < 1.25
    assert padded(100) < 1.1


def test_batches_come_in_no_order_of_length() -> None:
    batches = epoch_batches(LENS, 8, 100, seed=1, epoch=0)
    longest = [max(LENS[i] for i in batch) for batch in batches]
    assert longest not in (sorted(longest), sorted(longest, reverse=True))


@given(lens=SIZES, batch_size=st.integers(1, 20))
def test_evaluation_takes_the_longest_first(lens: list[int], batch_size: int) -> None:
    batches = sorted_batches(lens, batch_size)
    order = [i for batch in batches for i in batch]
    assert sorted(order) == list(range(len(lens)))
    assert all(lens[a] >= lens[b] for a, b in pairwise(order))
    assert all(len(batch) == batch_size for batch in batches[:-1])


@given(lens=SIZES, limit=st.integers(1, 20000))
def test_parts_cover_the_batch_and_keep_the_limit(lens: list[int], limit: int) -> None:
    parts = split_by_frames(lens, limit)
    assert sorted(i for part in parts for i in part) == list(range(len(lens)))
    for part in parts:
        padded = max(lens[i] for i in part) * len(part)
        assert padded <= limit or len(part) == 1
    assert max(lens) == lens[parts[0][0]]


@pytest.mark.parametrize(
    ("lens", "limit", "parts"),
    [
        ([10, 30, 20], 1000, [[1, 2, 0]]),
        ([10, 30, 20], 60, [[1, 2], [0]]),
        ([10, 30, 20], 59, [[1], [2, 0]]),
        ([10, 30, 20], 5, [[1], [2], [0]]),
    ],
)
def test_known_parts(lens: list[int], limit: int, parts: list[list[int]]) -> None:
    assert split_by_frames(lens, limit) == parts
