"""Every number that the report shows, as one JSON value (``results.json``).

Accuracies and error rates are fractions. Figures of a system are means over its seeds of the
value pooled over the folds, unless their name says ``fold``.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ser.metrics.classification import (
    Confusion,
    confusion_matrix,
    macro_f1,
    recalls,
    unweighted_accuracy,
    weighted_accuracy,
)
from ser.metrics.wer import word_error_rate
from ser.score.paper import PAPER_NAMES, PaperResult
from ser.score.predictions import Prediction, Predictions
from ser.score.training import Curve

Results = dict[str, Any]

BREAKDOWNS = ("cue", "type", "gender")


def assemble_results(
    predictions: Predictions, paper: Mapping[str, PaperResult], run: Mapping[str, Any]
) -> Results:
    """Everything that the report shows.

    Args:
        predictions: What is scored.
        paper: The paper's figures by system; may lack systems, or be empty.
        run: How the predictions came about (``describe_run``).
    """
    systems = {}
    for system, seeds in predictions.folds.items():
        row = _score_system(seeds, predictions)
        row["paper_name"] = PAPER_NAMES.get(system)
        if system in paper:
            row["paper"] = {"wa": paper[system].wa / 100, "ua": paper[system].ua / 100}
        systems[system] = row
    return {"labels": list(predictions.labels), "systems": systems, "run": dict(run)}


def describe_run(
    record: Mapping[str, Any],
    command: str,
    protocol: Mapping[str, Any],
    seeds: Sequence[str],
    folds: Sequence[str],
    finetune: Mapping[str, Mapping[str, Any]],
    pretrain: Mapping[str, Curve],
) -> dict[str, Any]:
    """How the predictions came about.

    Args:
        record: The run record of stage 5. Commit, versions and date are taken from it and not
            from now, so that the same predictions always give the same report.
        command: The user's command.
        protocol: How folds are made and weights selected.
        seeds: The seeds scored.
        folds: The folds scored.
        finetune: Number of runs and wall seconds by system.
        pretrain: Learning curve by recogniser.
    """
    kept = ("git_commit", "finished", "versions")
    return {
        "command": command,
        **{key: record[key] for key in kept},
        "protocol": dict(protocol),
        "seeds": list(seeds),
        "folds": list(folds),
        "predict": {"wall_seconds": record["wall_seconds"]},
        "finetune": dict(finetune),
        "pretrain": {name: _last_epoch(curve) for name, curve in pretrain.items()},
    }


def _last_epoch(curve: Curve) -> dict[str, Any]:
    last = curve[-1]
    return {
        "num_epochs": len(curve),
        "valid_loss": _finite(last.get("valid_loss")),
        "valid_wer": _finite(last.get("valid_wer")),
        "wall_seconds": round(sum(epoch.get("seconds", 0.0) for epoch in curve), 1),
    }


def _score_system(
    seeds: Mapping[str, Mapping[str, Sequence[Prediction]]], predictions: Predictions
) -> dict[str, Any]:
    """One row of the table, and what stands behind it."""
    labels = predictions.labels
    by_seed = {seed: _score_seed(folds, labels) for seed, folds in seeds.items()}
    pooled = [[p for fold in folds.values() for p in fold] for folds in seeds.values()]
    rows = list(by_seed.values())
    row: dict[str, Any] = {
        name: _mean([seed[name] for seed in rows]) for name in ("wa", "ua", "macro_f1", "wer")
    }
    row["recall"] = {label: _mean([seed["recall"][label] for seed in rows]) for label in labels}
    for name in ("wa", "ua", "macro_f1"):
        values = [fold[name] for seed in rows for fold in seed["folds"].values()]
        row[f"{name}_fold_mean"] = _mean(values)
        row[f"{name}_fold_sd"] = float(np.std(values, ddof=1)) if len(values) > 1 else None
    row["num_utts"] = len(pooled[0])
    row["by"] = {
        name: _score_groups(pooled, predictions.attributes[name], labels)
        for name in BREAKDOWNS
        if name in predictions.attributes
    }
    row["seeds"] = by_seed
    return row


def _score_seed(folds: Mapping[str, Sequence[Prediction]], labels: Sequence[str]) -> dict[str, Any]:
    pooled = [p for fold in folds.values() for p in fold]
    score: dict[str, Any] = _score(pooled, labels)
    heard = [p.ctc_text for p in pooled if p.ctc_text is not None]
    score["wer"] = word_error_rate([p.ref_text for p in pooled], heard) if heard else None
    confusion = _confusion(pooled, labels)
    score["recall"] = {
        label: _finite(value) for label, value in zip(labels, recalls(confusion), strict=True)
    }
    score["folds"] = {name: _score(fold, labels) for name, fold in folds.items()}
    score["confusion"] = confusion.tolist()
    return score


def _score_groups(
    pooled: Sequence[Sequence[Prediction]], value_of: Mapping[str, str], labels: Sequence[str]
) -> dict[str, Any]:
    """Scores of the utterances that share an attribute's value; an empty value makes no group."""
    groups = {}
    for value in sorted(set(value_of.values()) - {""}):
        seeds = [_score([p for p in seed if value_of[p.utt] == value], labels) for seed in pooled]
        groups[value] = {
            "wa": _mean([seed["wa"] for seed in seeds]),
            "ua": _mean([seed["ua"] for seed in seeds]),
            "num_utts": seeds[0]["num_utts"],
        }
    return groups


def _confusion(predictions: Sequence[Prediction], labels: Sequence[str]) -> Confusion:
    return confusion_matrix([p.ref for p in predictions], [p.hyp for p in predictions], labels)


def _score(predictions: Sequence[Prediction], labels: Sequence[str]) -> dict[str, Any]:
    confusion = _confusion(predictions, labels)
    return {
        "wa": weighted_accuracy(confusion),
        "ua": unweighted_accuracy(confusion),
        "macro_f1": macro_f1(confusion),
        "num_utts": len(predictions),
    }


def _mean(values: Sequence[float | None]) -> float | None:
    """The mean, or None where a value is missing."""
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if len(known) == len(values) else None


def _finite(value: float | None) -> float | None:
    """JSON knows no NaN: a value that does not exist is null."""
    return float(value) if value is not None and math.isfinite(value) else None
