"""Intervals: closed forms, symmetries, and coverage on data whose truth is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interval_coverage import PRIORS, World, coverage, simulate, truth
from scipy import stats

from ser.metrics.classification import accuracy
from ser.score.stats.intervals import (
    CellCounts,
    _draw_persons,
    bootstrap,
    count_cells,
    jackknife_interval,
    percentile_interval,
)

RNG = np.random.default_rng(3)


def some_evaluation(session_sd: float = 0.05, seed: int = 1) -> tuple:
    world = World(session_sd=session_sd, speaker_sd=0.03, num_utts=80)
    return simulate(world, np.random.default_rng(seed))


def test_score_is_that_of_its_definition() -> None:
    _, _, ref, correct = some_evaluation()
    cells = count_cells(np.zeros_like(ref), ref, correct, 4)
    total = (cells.counts[0], cells.correct[0])
    assert accuracy(*total, "wa") == pytest.approx(correct.mean(axis=0))
    recalls = [correct[ref == k].mean(axis=0) for k in range(4)]
    assert accuracy(*total, "ua") == pytest.approx(np.mean(recalls, axis=0))


def test_ua_is_of_the_classes_that_are_there() -> None:
    value = accuracy(np.array([4.0, 0.0, 2.0]), np.array([[2.0], [0.0], [2.0]]), "ua")
    assert value == pytest.approx([0.75])


def test_jackknife_of_equal_clusters_is_students_interval_of_their_means() -> None:
    means = np.array([0.5, 0.7, 0.6, 0.65, 0.8])
    cells = CellCounts(np.full((5, 1), 100.0), 100 * means[:, None, None])
    found = jackknife_interval(cells, "wa", [1])
    low, high = stats.t.interval(0.95, 4, loc=means.mean(), scale=stats.sem(means))
    assert (found.value, found.low, found.high) == pytest.approx((means.mean(), low, high))


def test_one_cluster_has_no_interval() -> None:
    cells = CellCounts(np.full((1, 2), 10.0), np.full((1, 2, 1), 6.0))
    found = jackknife_interval(cells, "ua", [1])
    assert (found.value, found.low, found.high) == (0.6, None, None)
    assert not found.excludes_zero


def test_a_class_in_one_cluster_alone_leaves_ua_without_interval() -> None:
    """Without this cluster it is a mean over fewer classes."""
    counts, correct = np.array([[10.0, 0], [10, 0], [5, 5]]), np.array([[8.0, 0], [7, 0], [4, 1]])
    cells = CellCounts(counts, correct[..., None])
    assert jackknife_interval(cells, "ua", [1]).ends is None
    assert jackknife_interval(cells, "wa", [1]).ends is not None
    counts[0] = 9, 1
    assert jackknife_interval(CellCounts(counts, correct[..., None]), "ua", [1]).ends is not None


@pytest.mark.slow
def test_bootstrap_of_independent_utterances_agrees_with_the_binomial() -> None:
    correct = np.repeat([1.0, 0.0], [140, 60])[:, None]
    alone = np.arange(200)  # each utterance a session of its own
    rounds = bootstrap(alone, alone, np.zeros(200, dtype=int), correct, 1, 4000)
    assert (rounds.counts == 200).all()
    found = percentile_interval(rounds, 0.7, "wa", [1])
    half = 1.96 * np.sqrt(0.7 * 0.3 / 200)
    assert (found.low, found.high) == pytest.approx((0.7 - half, 0.7 + half), abs=0.006)


@pytest.mark.slow
def test_persons_are_drawn_session_by_session() -> None:
    session = np.array([0, 2, 1, 0, 2, 0])
    simple, rng = np.zeros((50, 6), dtype=int), np.random.default_rng(0)
    for slot in rng.integers(3, size=(50, 3)).T:
        for name in range(3):
            persons = np.flatnonzero(session == name)
            for drawn in np.flatnonzero(slot == name):
                for i in rng.integers(len(persons), size=len(persons)):
                    simple[drawn, persons[i]] += 1
    assert (_draw_persons(session, 50, np.random.default_rng(0)) == simple).all()


def test_bootstrap_equals_drawing_one_by_one() -> None:
    """The counts of kinds have the spread of utterances drawn singly, in all three levels."""
    session, speaker, ref, correct = some_evaluation(0.08)
    rounds = bootstrap(session, speaker, ref, correct, 4, 3000)
    fast = accuracy(rounds.counts, rounds.correct, "ua")
    rng = np.random.default_rng(5)
    slow = []
    for _ in range(1500):
        chosen: list[np.ndarray] = []
        for s in rng.choice(np.unique(session), 5):
            people = np.unique(speaker[session == s])
            for p in rng.choice(people, len(people)):
                own = np.flatnonzero(speaker == p)
                chosen.append(rng.choice(own, len(own)))
        drawn = np.concatenate(chosen)
        slow.append([np.mean([correct[drawn][ref[drawn] == k, m].mean() for k in range(4)])
                     for m in range(2)])  # fmt: skip
    assert fast.mean(axis=0) == pytest.approx(np.mean(slow, axis=0), abs=0.004)
    assert fast.std(axis=0) == pytest.approx(np.std(slow, axis=0), rel=0.08)
    difference = (fast[:, 0] - fast[:, 1]).std()
    assert difference == pytest.approx(np.std(np.subtract(*np.transpose(slow))), rel=0.08)


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), metric=st.sampled_from(["wa", "ua"]))
def test_order_does_not_matter_and_swapped_systems_mirror(seed: int, metric: str) -> None:
    session, _, ref, correct = some_evaluation(seed=seed)
    forward = jackknife_interval(count_cells(session, ref, correct, 4), metric, [1, -1])
    order = np.random.default_rng(seed).permutation(len(ref))
    cells = count_cells(session[order], ref[order], correct[order], 4)
    again = jackknife_interval(cells, metric, [1, -1])
    mirrored = jackknife_interval(cells, metric, [-1, 1])
    assert (again.low, again.high) == pytest.approx((forward.low, forward.high))
    assert (-mirrored.high, -mirrored.low) == pytest.approx((forward.low, forward.high))


def test_simulated_truth() -> None:
    session, _, ref, correct = simulate(
        World(session_sd=0.03, speaker_sd=0.03, num_sessions=400), np.random.default_rng(2)
    )
    cells = count_cells(np.zeros_like(session), ref, correct, len(PRIORS))
    for metric in ("wa", "ua"):
        found = accuracy(cells.counts[0], cells.correct[0], metric)
        assert found == pytest.approx([truth(metric, (1, 0))] * 2, abs=0.006)
    assert truth("wa", (1, -1)) == 0


@pytest.mark.parametrize(
    "session_sd", [*(pytest.param(sd, marks=pytest.mark.slow) for sd in (0.0, 0.03, 0.05)), 0.08]
)
@pytest.mark.parametrize("speaker_sd", [0.0, 0.03])
@pytest.mark.parametrize(("metric", "contrast"), [("wa", (1, 0)), ("ua", (1, 0)), ("wa", (1, -1))])
def test_recommended_interval_covers(
    session_sd: float, speaker_sd: float, metric: str, contrast: tuple[float, float]
) -> None:
    world = World(session_sd=session_sd, speaker_sd=speaker_sd, num_utts=150)
    assert 0.92 < coverage(world, metric, contrast, 1000, seed=7).covered < 0.98


@pytest.mark.slow
def test_plain_interval_does_not_cover_where_sessions_differ() -> None:
    world = World(session_sd=0.08, speaker_sd=0.0, num_utts=150)
    plain = coverage(world, "wa", (1, 0), 300, seed=7, num_rounds=100)
    assert plain.covered < 0.92
    assert plain.width < coverage(world, "wa", (1, 0), 300, seed=7).width
