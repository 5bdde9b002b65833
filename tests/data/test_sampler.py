"""The sampler: every utterance once an epoch, in an order that seed and epoch fix."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracked import ROOT

from ser.config.load import load_config
from ser.config.schema import PretrainConfig, SystemConfig
from ser.data.sampler import epoch_batches, split_by_frames

LENS = np.random.default_rng(0).integers(60, 3000, size=203).tolist()
SIZES = st.lists(st.integers(1, 3000), min_size=1, max_size=70)


@given(
    lens=SIZES,
    batch_size=st.integers(1, 20),
    jitter=st.floats(0, 0.9),
    seed=st.integers(0, 5),
    epoch=st.integers(0, 5),
)
def test_every_utterance_once(
    lens: list[int], batch_size: int, jitter: float, seed: int, epoch: int
) -> None:
    batches = epoch_batches(lens, batch_size, jitter, seed, epoch)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lens)))
    sizes = sorted((len(batch) for batch in batches), reverse=True)
    assert all(size == batch_size for size in sizes[:-1])
    assert 1 <= sizes[-1] <= batch_size
    assert len(batches) == -(-len(lens) // batch_size)


def test_seed_and_epoch_decide() -> None:
    first = epoch_batches(LENS, 16, 0.05, seed=1, epoch=0)
    assert epoch_batches(LENS, 16, 0.05, seed=1, epoch=0) == first
    others = [epoch_batches(LENS, 16, 0.05, s, e) for s, e in ((1, 1), (2, 0), (0, 1))]
    members = [{frozenset(batch) for batch in batches} for batches in (first, *others)]
    for a in range(4):
        for b in range(a):
            assert len(members[a] & members[b]) < 4, "other batches, not another order alone"


def padding(lens: list[int], batches: list[list[int]]) -> float:
    """Padded share of all frames."""
    return 1 - sum(lens) / sum(max(lens[i] for i in b) * len(b) for b in batches)


def test_lengths_within_a_batch_are_alike() -> None:
    """Sorted lengths need least padding; the more chance, the more; random order most."""
    shares = [padding(LENS, epoch_batches(LENS, 8, j, seed=1, epoch=0)) for j in (0, 0.05, 0.3)]
    assert shares == sorted(shares)
    assert shares[0] < 0.04
    assert shares[1] < 0.08
    shuffled = np.random.default_rng(0).permutation(len(LENS)).tolist()
    batches = [shuffled[i : i + 8] for i in range(0, len(shuffled), 8)]
    assert shares[2] < 0.6 * padding(LENS, batches)


@pytest.mark.parametrize("recipe", ["iemocap", "mini", "ravdess"])
def test_shipped_jitter_pads_little_and_changes_batches(recipe: str) -> None:
    """With lengths that spread as in speech: mostly from half to twice the mean."""
    lens = np.random.default_rng(1).lognormal(6, 0.5, 20000).astype(int).tolist()
    conf = ROOT / "egs" / recipe / "conf"
    for path, schema in (("pretrain/ctc", PretrainConfig), ("systems/transformer", SystemConfig)):
        training = load_config(conf / f"{path}.yaml", schema).training
        options = (training.batch_size_utts, training.length_jitter_prob, 1)
        batches, others = (epoch_batches(lens, *options, epoch) for epoch in (0, 1))
        assert padding(lens, batches) <= 0.05
        unchanged = {frozenset(b) for b in batches} & {frozenset(b) for b in others}
        assert len(unchanged) < 0.1 * len(batches)


def test_batches_come_in_no_order_of_length() -> None:
    batches = epoch_batches(LENS, 8, 0.05, seed=1, epoch=0)
    longest = [max(LENS[i] for i in batch) for batch in batches]
    assert longest not in (sorted(longest), sorted(longest, reverse=True))


def test_the_smaller_batch_is_not_always_the_longest_or_shortest() -> None:
    places = set()
    for epoch in range(30):
        batches = epoch_batches(LENS, 50, 0.0, seed=1, epoch=epoch)
        batches.sort(key=lambda batch: LENS[batch[0]])
        places.add(min(range(5), key=lambda i: len(batches[i])))
    assert places == set(range(5))


@given(lens=SIZES, batch_size=st.integers(1, 20))
def test_evaluation_takes_the_longest_first(lens: list[int], batch_size: int) -> None:
    batches = split_by_frames(lens, 60_000, batch_size)
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
