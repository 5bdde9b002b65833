"""Confidence intervals that know that utterances of a session and of a speaker are alike.

Seeds need no level of their own: WA and UA of a seed are linear in which utterances it has right,
so their mean over seeds is that of the share of seeds that are right on each utterance.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from ser.base.arrays import Doubles
from ser.metrics.classification import Codes, Metric, accuracy
from ser.score.predictions.evaluation import Evaluation

LEVEL = 0.95
LEVEL_TEXT = f"{100 * LEVEL:g} %"  # in headings


@dataclass(frozen=True)
class Estimate:
    """A figure and where its true value may lie; fractions.

    Attributes:
        value: The figure.
        low: Lower end of the interval; None where there is a single cluster, and of UA where one
            cluster alone has a class.
        high: Its upper end.
    """

    value: float
    low: float | None
    high: float | None

    @property
    def ends(self) -> list[float] | None:
        """Of the interval, None where there is none."""
        return None if self.low is None or self.high is None else [self.low, self.high]

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of zero."""
        return self.low is not None and self.high is not None and self.low * self.high > 0


@dataclass(frozen=True)
class CellCounts:
    """Counts of utterances by cluster, and what is right among them.

    Attributes:
        counts: (G, C) utterances of each class in each cluster.
        correct: (G, C, M) of these the right ones, for M systems; shares of seeds count as such.
    """

    counts: Doubles
    correct: Doubles


def count_cells(cluster: Codes, ref: Codes, correct: Doubles, num_classes: int) -> CellCounts:
    """Reduces N utterances to the cells of their clusters.

    Args:
        cluster: (N,) codes.
        ref: (N,) classes.
        correct: (N, M) share of the seeds that are right.
        num_classes: C.
    """
    names, group = np.unique(cluster, return_inverse=True)
    cell = np.ravel_multi_index((group, ref), (len(names), num_classes))

    def sums(values: Doubles | None = None) -> Doubles:
        per_cell = np.bincount(cell, values, minlength=len(names) * num_classes)
        return per_cell.reshape(len(names), num_classes).astype(float)

    return CellCounts(sums(), np.stack([sums(system) for system in correct.T], axis=-1))


def cells_of(evaluation: Evaluation, *systems: str) -> CellCounts:
    """Those of M systems by independent cluster."""
    correct = np.column_stack([evaluation.correct(system) for system in systems])
    return count_cells(evaluation.clusters.code, evaluation.ref, correct, len(evaluation.labels))


def jackknife_interval(cells: CellCounts, metric: Metric, contrast: Sequence[float]) -> Estimate:
    """The interval that we recommend: delete-one-cluster jackknife with Student's t, G - 1 d.o.f.

    theta +- t(G-1) * sqrt((G-1)/G * sum_g (theta_(g) - mean)^2), theta_(g) without cluster g
    (Efron & Tibshirani 1993, section 11.2; for few clusters Cameron, Gelbach & Miller 2008, whose
    CR3 it is for a mean). The spread of whole clusters holds that of their speakers and utterances,
    and of their training runs where no two clusters share one (``clusters.py``), so nothing
    is resampled below them; a nested bootstrap counts it twice where sessions do not differ, and
    misses a fifth of it with five that do.

    Args:
        cells: By independent cluster.
        metric: WA or UA.
        contrast: (M,) weights of the systems: 1 for one system, 1 and -1 for a difference.
    """
    weights = np.asarray(contrast)
    value = float(accuracy(cells.counts.sum(axis=0), cells.correct.sum(axis=0), metric) @ weights)
    num_clusters = len(cells.counts)
    total = cells.counts.sum(axis=0)
    in_one = ((cells.counts == total) & (total > 0)).any()  # without it UA is another figure
    if num_clusters < 2 or (metric == "ua" and in_one):
        return Estimate(value, None, None)
    without = (
        accuracy(
            cells.counts.sum(axis=0) - cells.counts,
            cells.correct.sum(axis=0) - cells.correct,
            metric,
        )
        @ weights
    )
    shrink = (num_clusters - 1) / num_clusters
    error = np.sqrt(shrink * ((without - without.mean()) ** 2).sum())
    # Student's t; scipy.stats has it under a clearer name, and takes a second to import.
    reach = float(stdtrit(num_clusters - 1, (1 + LEVEL) / 2) * error)
    return Estimate(value, value - reach, value + reach)


def bootstrap(
    session: Codes,
    speaker: Codes,
    ref: Codes,
    correct: Doubles,
    num_classes: int,
    num_rounds: int,
    seed: int = 0,
) -> CellCounts:
    """Plain hierarchical bootstrap: sessions, speakers within them, utterances within these.

    Each level is drawn with replacement (Davison & Hinkley 1997, section 3.8). The utterances of a
    speaker are drawn as counts of their kinds (class, and which systems are right), which is the
    same and far faster.

    Args:
        session: (N,) codes.
        speaker: (N,) codes; a speaker of two sessions counts as two.
        ref: (N,) classes.
        correct: (N, M).
        num_classes: C.
        num_rounds: B.
        seed: Of the drawing.

    Returns:
        CellCounts whose clusters are the rounds: (B, C) and (B, C, M).
    """
    rng = np.random.default_rng(seed)
    persons, person = np.unique(np.stack([session, speaker], axis=1), axis=0, return_inverse=True)
    times = _draw_persons(persons[:, 0], num_rounds, rng)
    counts = np.zeros((num_rounds, num_classes))
    right = np.zeros((num_rounds, num_classes, correct.shape[1]))
    for i in range(len(persons)):
        own = person.ravel() == i
        kinds, sizes_of_kinds = np.unique(
            np.column_stack([ref[own], correct[own]]), axis=0, return_counts=True
        )
        rounds = np.repeat(np.arange(num_rounds), times[:, i])  # once for each time it is drawn
        share = sizes_of_kinds / own.sum()
        draws = rng.multinomial(own.sum(), share, size=len(rounds)).astype(float)  # (rounds, kinds)
        of_class = np.eye(num_classes)[kinds[:, 0].astype(int)]  # (kinds, C)
        values = np.einsum("kc,km->kcm", of_class, kinds[:, 1:])
        np.add.at(counts, rounds, draws @ of_class)
        np.add.at(right, rounds, np.tensordot(draws, values, axes=1))
    return CellCounts(counts, right)


def _draw_persons(session: Codes, num_rounds: int, rng: np.random.Generator) -> Codes:
    """(B, P) how often each of P persons, of the given sessions (P,), is drawn in each round."""
    sessions = [np.flatnonzero(session == name) for name in np.unique(session)]
    sizes = np.array([len(group) for group in sessions])
    times = np.zeros((num_rounds, len(session)), dtype=np.int64)
    for slot in rng.integers(len(sessions), size=(num_rounds, len(sessions))).T:
        rounds = np.argsort(slot, kind="stable")  # those of the first session, of the second, ...
        numbers = sizes * np.bincount(slot, minlength=len(sizes))
        chosen = [
            group[rng.integers(len(group), size=number)]
            for group, number in zip(sessions, numbers, strict=True)
        ]
        np.add.at(times, (np.repeat(rounds, sizes[slot[rounds]]), np.concatenate(chosen)), 1)
    return times


def percentile_interval(
    rounds: CellCounts, value: float, metric: Metric, contrast: Sequence[float]
) -> Estimate:
    """The plain percentile interval of bootstrap rounds; too short for few sessions that differ."""
    values = accuracy(rounds.counts, rounds.correct, metric) @ np.asarray(contrast)
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value, float(low), float(high))
