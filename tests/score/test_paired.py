"""Paired tests: exact values, other implementations, and what few folds can show."""

import itertools
import tracemalloc
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser.score.predictions.evaluation import Evaluation
from ser.score.stats.clusters import find_clusters
from ser.score.stats.paired import (
    cluster_differences,
    compare_all,
    difference,
    holm,
    mcnemar_p,
    sign_flip_p,
    smallest_sign_flip_p,
)


def evaluation(num_seeds: int = 2) -> Evaluation:
    """Two classes, five folds of 20 utterances; ``good`` is right more often than ``bad``."""
    rng = np.random.default_rng(1)
    ref = np.tile([0, 1], 50)
    fold = np.repeat(np.arange(5), 20)

    def guess(share: float) -> np.ndarray:
        right = rng.random((num_seeds, 100)) < share
        return np.where(right, ref, 1 - ref)

    hyp = {"bad": guess(0.5), "good": guess(0.9), "same": guess(0.5)}
    return Evaluation(
        labels=("a", "b"),
        utts=tuple(map(str, range(100))),
        ref=ref,
        fold=fold,
        session=fold,
        speaker=fold,
        clusters=find_clusters(fold, fold, fold),
        hyp=hyp,
        posteriors={},
    )


def test_mcnemar_by_hand_and_by_the_binomial() -> None:
    a = np.array([1, 1, 1, 1, 1, 1, 0, 1, 0], dtype=bool)
    b = np.array([0, 0, 0, 0, 0, 0, 1, 1, 0], dtype=bool)
    # 6 against 1: 2 * (1 + 7) / 2^7
    assert mcnemar_p(a, b) == pytest.approx(2 * 8 / 128)
    assert mcnemar_p(a, b) == mcnemar_p(b, a)
    assert mcnemar_p(a, a) == 1


# statsmodels takes seconds to import: not in every worker.


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_mcnemar_agrees_with_statsmodels(rights: list[tuple[bool, bool]]) -> None:
    from statsmodels.stats.contingency_tables import mcnemar

    a, b = (np.array(column) for column in zip(*rights, strict=True))
    table = [[(a & b).sum(), (a & ~b).sum()], [(~a & b).sum(), (~a & ~b).sum()]]
    assert mcnemar_p(a, b) == pytest.approx(mcnemar(table, exact=True).pvalue)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_agrees_with_statsmodels(p_values: list[float]) -> None:
    from statsmodels.stats.multitest import multipletests

    with mock.patch("gc.collect"):  # which it calls each time, for seconds in a big process
        expected = multipletests(p_values, method="holm")[1]
    assert holm(p_values) == pytest.approx(list(expected))


def test_mcnemar_does_not_count_seeds_as_utterances() -> None:
    once = evaluation(1)
    thrice = Evaluation(
        **{**vars(once), "hyp": {s: np.repeat(h, 3, 0) for s, h in once.hyp.items()}}
    )
    for first, second in zip(compare_all(once), compare_all(thrice), strict=True):
        assert first == second


def test_mcnemar_is_that_of_the_least_convincing_seed() -> None:
    two = evaluation(2)
    hyp = {name: found.copy() for name, found in two.hyp.items()}
    hyp["good"][0] = two.ref  # clear in one seed, no difference in the other
    hyp["good"][1] = hyp["bad"][1]
    found = compare_all(Evaluation(**{**vars(two), "hyp": hyp}))
    (pair,) = [c for c in found if {c.a, c.b} == {"bad", "good"}]
    assert mcnemar_p(hyp["good"][0] == two.ref, hyp["bad"][0] == two.ref) < 1e-6
    assert pair.mcnemar_p == 1.0


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=8))
def test_sign_flips_by_enumeration(counts: list[int]) -> None:
    flipped = [
        abs(np.dot(signs, counts)) for signs in itertools.product([1, -1], repeat=len(counts))
    ]
    expected = np.mean([value >= abs(sum(counts)) for value in flipped])
    assert sign_flip_p(np.array(counts) / 553) == pytest.approx(expected)


def test_many_folds_are_sampled_and_never_give_zero() -> None:
    d = np.full(24, 0.1)
    assert sign_flip_p(d) == 1 / 100_001
    few = np.concatenate([np.full(9, 0.1), np.full(8, -0.1)])
    assert sign_flip_p(few) == pytest.approx(1, abs=0.01)


def test_five_folds_cannot_go_below_a_sixteenth() -> None:
    assert smallest_sign_flip_p(5) == sign_flip_p(np.array([1.0, 2, 3, 4, 5])) == 0.0625
    assert smallest_sign_flip_p(6) == 0.03125


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_all_pairs_are_compared_later_against_earlier() -> None:
    found = {(c.a, c.b): c for c in compare_all(evaluation())}
    assert list(found) == [("good", "bad"), ("same", "bad"), ("same", "good")]
    better = found[("good", "bad")]
    assert better.wa.value > 0.2
    assert better.wa.excludes_zero
    assert better.mcnemar_holm < 0.01
    assert better.permutation_p == better.smallest_p == 0.0625
    assert better.permutation_holm == better.smallest_holm == pytest.approx(3 * 0.0625)
    assert not found[("same", "bad")].wa.excludes_zero
    assert found[("same", "good")].wa.value < 0


def test_folds_that_share_sessions_are_not_counted_apart() -> None:
    e = evaluation()
    session = e.fold // 2  # the five folds are of three sessions
    shared = replace(e, session=session, clusters=find_clusters(session, session, e.fold))
    assert len(cluster_differences(shared, "good", "bad")) == 3
    assert compare_all(shared)[0].smallest_p == 0.25


def test_differences_of_clusters_add_up_to_the_pooled_one() -> None:
    e = evaluation()
    by_cluster = cluster_differences(e, "good", "bad")
    assert by_cluster.sum() == pytest.approx(difference(e, "good", "bad", "wa").value)
    right = (e.hyp["good"] == e.ref).mean(axis=0) - (e.hyp["bad"] == e.ref).mean(axis=0)
    assert by_cluster[2] == pytest.approx(right[40:60].sum() / len(right))


def test_random_flips_are_those_of_one_draw_in_less_memory() -> None:
    differences = np.random.default_rng(1).normal(0.1, 1, size=37)
    signs = np.random.default_rng(0).choice([-1, 1], size=(100_000, 37))
    hits = (np.abs(signs @ differences) >= abs(differences.sum()) - 1e-9).sum()
    tracemalloc.start()
    assert sign_flip_p(differences) == (hits + 1) / 100_001
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < signs.nbytes / 10
