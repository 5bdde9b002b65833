"""Whether two systems differ, on the same utterances."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.special import bdtr

from ser.base.arrays import Doubles
from ser.metrics.classification import Codes, Metric
from ser.score.predictions.evaluation import Evaluation
from ser.score.stats.intervals import Estimate, cells_of, jackknife_interval

EXACT_CLUSTERS = 16  # up to so many clusters all 2^G signs are tried
MONTE_CARLO_ROUNDS = 100_000
ROUNDS_AT_ONCE = 1000
SIGNIFICANT = 0.05


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """System ``a`` against system ``b``; differences are ``a`` minus ``b``, as fractions.

    Attributes:
        a: The one.
        b: The other.
        wa: Difference of WA, with its interval.
        ua: Difference of UA, with its interval.
        mcnemar_p: Exact McNemar test on pooled decisions: the largest p of any seed.
        permutation_p: Sign flips of the clusters' differences of WA, averaged over seeds.
        smallest_p: What ``permutation_p`` is at best with so many clusters.
        mcnemar_holm: ``mcnemar_p`` after Holm's correction over all pairs.
        permutation_holm: ``permutation_p`` after Holm's correction over all pairs.
        smallest_holm: What ``permutation_holm`` is at best, all pairs being as clear.
    """

    a: str
    b: str
    wa: Estimate
    ua: Estimate
    mcnemar_p: float
    permutation_p: float
    smallest_p: float
    mcnemar_holm: float
    permutation_holm: float
    smallest_holm: float


def compare_all(evaluation: Evaluation) -> list[Comparison]:
    """Every later system against every earlier one."""
    pairs = [(a, b) for b, a in combinations(evaluation.hyp, 2)]
    mcnemar = [_mcnemar_of_seeds(evaluation, a, b) for a, b in pairs]
    permutation = [sign_flip_p(cluster_differences(evaluation, a, b)) for a, b in pairs]
    smallest = smallest_sign_flip_p(evaluation.clusters.number)
    corrected = zip(holm(mcnemar), holm(permutation), strict=True)
    return [
        Comparison(
            a=a,
            b=b,
            wa=difference(evaluation, a, b, "wa"),
            ua=difference(evaluation, a, b, "ua"),
            mcnemar_p=mcnemar[i],
            permutation_p=permutation[i],
            smallest_p=smallest,
            mcnemar_holm=mcnemar_holm,
            permutation_holm=permutation_holm,
            smallest_holm=min(1.0, len(pairs) * smallest),
        )
        for i, ((a, b), (mcnemar_holm, permutation_holm)) in enumerate(
            zip(pairs, corrected, strict=True)
        )
    ]


def difference(evaluation: Evaluation, a: str, b: str, metric: Metric) -> Estimate:
    """``a`` minus ``b`` on the same utterances, with the recommended interval."""
    return jackknife_interval(cells_of(evaluation, a, b), metric, [1, -1])


def mcnemar_p(right_a: Codes, right_b: Codes) -> float:
    """Two-sided exact McNemar test: of the decisions where one alone is right, half are each's.

    Args:
        right_a: (N,) whether a is right.
        right_b: (N,) whether b is right.
    """
    only_a = int((right_a & ~right_b).sum())
    only_b = int((right_b & ~right_a).sum())
    if only_a + only_b == 0:
        return 1.0
    # Both tails: with one half they are alike. Where both are equal they overlap.
    return min(1.0, 2 * float(bdtr(min(only_a, only_b), only_a + only_b, 0.5)))


def _mcnemar_of_seeds(evaluation: Evaluation, a: str, b: str) -> float:
    """The largest p of any seed: N utterances stay N, however often the systems were trained."""
    right_a, right_b = (evaluation.hyp[s] == evaluation.ref for s in (a, b))
    return max(mcnemar_p(*seeds) for seeds in zip(right_a, right_b, strict=True))


def cluster_differences(evaluation: Evaluation, a: str, b: str) -> Doubles:
    """(G,) each cluster's part of the difference of WA, averaged over the seeds: they add up to it.

    A cluster counts by its utterances, as in the pooled difference that is tested.
    """
    cells = cells_of(evaluation, a, b)
    right = cells.correct.sum(axis=1) / cells.counts.sum()  # (G, 2)
    difference_of: Doubles = right[:, 0] - right[:, 1]
    return difference_of


def sign_flip_p(differences: Doubles) -> float:
    """Two-sided sign-flip permutation test of paired differences (G,), the cluster as unit.

    With a session left out of training in each fold the clusters are the folds. Exact for up to 16
    of them; beyond, 100,000 random flips and (hits + 1) / (rounds + 1) (Phipson & Smyth 2010).
    """
    num_clusters = len(differences)
    rounding = 1e-9 * np.abs(differences).sum()  # equal sums must count as equal
    observed = abs(differences.sum()) - rounding
    if num_clusters <= EXACT_CLUSTERS:
        signs = 1 - 2 * ((np.arange(2**num_clusters)[:, None] >> np.arange(num_clusters)) & 1)
        return float((np.abs(signs @ differences) >= observed).mean())
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(0, MONTE_CARLO_ROUNDS, ROUNDS_AT_ONCE):
        signs = rng.choice([-1, 1], size=(ROUNDS_AT_ONCE, num_clusters))
        hits += int((np.abs(signs @ differences) >= observed).sum())
    return (hits + 1) / (MONTE_CARLO_ROUNDS + 1)


def smallest_sign_flip_p(num_clusters: int) -> float:
    """The p when all clusters agree: both signs of the whole among 2^G."""
    exact = 2.0 ** (1 - num_clusters)
    return exact if num_clusters <= EXACT_CLUSTERS else max(exact, 1 / (MONTE_CARLO_ROUNDS + 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction (1979): family-wise error over all tests."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected = [1.0] * len(p_values)
    highest = 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        corrected[i] = highest
    return corrected
