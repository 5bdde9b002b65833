"""One system's figures: pooled, by fold, by seed, and broken down."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ser.metrics.classification import (
    Codes,
    Confusion,
    Metric,
    confusion_matrix,
    macro_f1,
    precisions,
    recalls,
    unweighted_accuracy,
    weighted_accuracy,
)
from ser.metrics.wer import word_error_rate
from ser.score.predictions.evaluation import Evaluation
from ser.score.predictions.table import PredictionRow
from ser.score.stats.calibration import reliability, risk_coverage
from ser.score.stats.intervals import (
    CellCounts,
    Estimate,
    cells_of,
    jackknife_interval,
    percentile_interval,
)

NUM_CURVE_POINTS = 50

Folds = Mapping[str, Sequence[PredictionRow]]


def score_system(
    evaluation: Evaluation,
    seeds: Mapping[str, Folds],
    system: str,
    groups: Mapping[str, Sequence[str]],
    rounds: CellCounts,
) -> dict[str, Any]:
    """One row of the table, and what follows it.

    Args:
        evaluation: All utterances.
        seeds: The system's predictions by seed and fold, for their words.
        system: Its name.
        groups: Group (N,) of each utterance, by what groups them.
        rounds: Bootstrap of this system.
    """
    by_seed = {
        seed: _score_seed(evaluation, folds, hyp)
        for (seed, folds), hyp in zip(seeds.items(), evaluation.hyp[system], strict=True)
    }
    rows = list(by_seed.values())
    row: dict[str, Any] = {
        name: mean([seed[name] for seed in rows]) for name in ("wa", "ua", "macro_f1", "wer")
    }
    for name in ("recall", "precision", "wer_by_class"):
        row[name] = {
            label: mean([seed[name][label] for seed in rows]) for label in evaluation.labels
        }
    # Of a system in which no seed plays a part, the seeds are copies and spread nothing.
    apart = rows[:1] if all_agree(by_seed) else rows
    for name in ("wa", "ua", "macro_f1"):
        values = [fold[name] for seed in apart for fold in seed["folds"].values()]
        row[f"{name}_fold_mean"] = mean(values)
        row[f"{name}_fold_sd"] = float(np.std(values, ddof=1)) if len(values) > 1 else None
    metrics: tuple[Metric, ...] = ("wa", "ua")
    for metric in metrics:
        row[f"{metric}_interval"] = estimate(evaluation, system, metric).ends
        row[f"{metric}_plain_interval"] = percentile_interval(rounds, row[metric], metric, [1]).ends
    row["num_utts"] = len(evaluation.utts)
    row["by"] = {
        name: _score_groups(evaluation, system, np.array(values)) for name, values in groups.items()
    }
    speakers = np.array([p.spk for fold in next(iter(seeds.values())).values() for p in fold])
    row["by_speaker"] = _score_groups(evaluation, system, speakers)
    row["calibration"], row["risk"] = _confidence(evaluation, system)
    row["seeds"] = by_seed
    return row


def all_agree(by_seed: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether all seeds have the same scores."""
    rows = list(by_seed.values())
    return all(row == rows[0] for row in rows)


def estimate(evaluation: Evaluation, system: str, metric: Metric) -> Estimate:
    """A figure with the interval that we recommend, as far as it lies within 0 to 1."""
    found = jackknife_interval(cells_of(evaluation, system), metric, [1])
    if found.low is None or found.high is None:
        return found
    return Estimate(found.value, max(0.0, found.low), min(1.0, found.high))


def _score_seed(evaluation: Evaluation, folds: Folds, hyp: Codes) -> dict[str, Any]:
    num_classes = len(evaluation.labels)
    confusion = confusion_matrix(evaluation.ref, hyp, num_classes)
    pooled = [p for fold in folds.values() for p in fold]
    score: dict[str, Any] = _score(confusion)
    score["wer"] = _word_error_rate(pooled)
    score["wer_by_class"] = {
        label: _word_error_rate([p for p in pooled if p.ref == label])
        for label in evaluation.labels
    }
    for name, values in (("recall", recalls(confusion)), ("precision", precisions(confusion))):
        score[name] = {
            label: finite(value) for label, value in zip(evaluation.labels, values, strict=True)
        }
    score["folds"] = {
        name: _score(confusion_matrix(evaluation.ref[here], hyp[here], num_classes))
        for i, name in enumerate(folds)
        for here in [evaluation.fold == i]
    }
    score["confusion"] = confusion.tolist()
    return score


def _word_error_rate(predictions: Sequence[PredictionRow]) -> float | None:
    transcripts = [p.ctc_text for p in predictions if p.ctc_text is not None]
    return word_error_rate([p.ref_text for p in predictions], transcripts) if transcripts else None


def _score_groups(
    evaluation: Evaluation, system: str, values: np.ndarray[Any, Any]
) -> dict[str, Any]:
    """Scores of the utterances that share a value (N,); an empty value makes no group."""
    groups = {}
    for value in sorted(set(values.tolist()) - {""}, key=_place):
        part = evaluation.only(values == value)
        scores = [
            _score(confusion_matrix(part.ref, hyp, len(part.labels))) for hyp in part.hyp[system]
        ]
        groups[value] = {
            "wa": mean([score["wa"] for score in scores]),
            "ua": mean([score["ua"] for score in scores]),
            "wa_interval": estimate(part, system, "wa").ends,
            "num_utts": len(part.utts),
        }
    return groups


def _place(value: str) -> tuple[float, str]:
    """Lengths (``9.5 to 12.0 s``) by their first number, all else by its text."""
    length = re.match(r"([0-9.]+) to [0-9.]+ s$", value)
    return (float(length[1]) if length else 0.0, value)


def _confidence(evaluation: Evaluation, system: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Calibration and risk-coverage, the decisions of all seeds together."""
    posteriors = evaluation.posteriors[system]
    references = np.broadcast_to(evaluation.ref, posteriors.shape[:-1])
    found = reliability(posteriors, references)
    coverage, risk = risk_coverage(posteriors, references)
    shown = np.linspace(0, len(risk) - 1, min(NUM_CURVE_POINTS, len(risk))).astype(int)
    return (
        {
            "error": found.error,
            "confidence": found.confidence.tolist(),
            "accuracy": found.accuracy.tolist(),
        },
        {
            "area": float(risk.mean()),
            "coverage": coverage[shown].tolist(),
            "risk": risk[shown].tolist(),
        },
    )


def _score(confusion: Confusion) -> dict[str, Any]:
    return {
        "wa": weighted_accuracy(confusion),
        "ua": unweighted_accuracy(confusion),
        "macro_f1": macro_f1(confusion),
        "num_utts": int(confusion.sum()),
    }


def mean(values: Sequence[float | None]) -> float | None:
    """The mean, or None where a value is missing."""
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if len(known) == len(values) else None


def finite(value: float | None) -> float | None:
    """JSON knows no NaN: a value that does not exist is null."""
    return float(value) if value is not None and math.isfinite(value) else None
