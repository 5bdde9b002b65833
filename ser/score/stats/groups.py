"""The groups of utterances that the figures are broken down by."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import numpy as np

from ser.score.predictions.evaluation import Evaluation
from ser.score.stats.agreement import agreement, parse_votes

OWN = ("cue",)  # of the generated corpus alone: no other is expected to have it
TITLES = {
    "gender": "sex",
    "type": "improvised or scripted",
    "line": "line heard in training",
    "scene": "scene heard in training",
    "cue": "cue",
    "length": "length",
    "agreement": "annotators who gave the label",
}
NUM_LENGTHS = 4


def groups_of(
    evaluation: Evaluation,
    attributes: Mapping[str, Mapping[str, str]],
    audited: Mapping[str, Any] | None,
) -> dict[str, list[str]]:
    """The group (N,) of each utterance by what groups them; an empty one belongs to none.

    Args:
        evaluation: The utterances.
        attributes: What stage 5 knows of them: value by utterance, by attribute.
        audited: ``audit.json``; None where stage 0 wrote none.
    """
    utts = evaluation.utts
    groups = {
        name: [attributes[name][utt] for utt in utts]
        for name in ("gender", "type", "cue")
        if name in attributes
    }
    if audited:
        seen = {utt: row for fold in audited["seen"].values() for utt, row in fold.items()}
        for name in ("line", "scene"):
            groups[name] = [seen.get(utt, {}).get(name, "") for utt in utts]
    if "dur" in attributes:
        groups["length"] = _quarters([float(attributes["dur"][utt]) for utt in utts])
    if "votes" in attributes and "emo_raw" in attributes:
        class_of = classes_of_labels(evaluation, attributes)
        groups["agreement"] = [
            agreement(parse_votes(attributes["votes"][utt], class_of), evaluation.labels[ref])
            for utt, ref in zip(utts, evaluation.ref, strict=True)
        ]
    return {name: values for name in TITLES if any(values := groups.get(name, []))}


def classes_of_labels(
    evaluation: Evaluation, attributes: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    """The class that each of the corpus's own labels was mapped to."""
    return {
        attributes["emo_raw"][utt]: evaluation.labels[ref]
        for utt, ref in zip(evaluation.utts, evaluation.ref, strict=True)
    }


def _quarters(seconds: Sequence[float]) -> list[str]:
    """Four groups of like size: ``0.6 to 2.3 s`` and so on."""
    edges = np.quantile(seconds, np.linspace(0, 1, NUM_LENGTHS + 1))
    index = np.searchsorted(edges[1:-1], seconds, side="left")

    def groups(digits: int) -> list[str]:
        return [f"{edges[i]:.{digits}f} to {edges[i + 1]:.{digits}f} s" for i in index]

    return next(  # the first that rounding leaves apart
        names for names in map(groups, count(1)) if len(set(names)) == len(set(index.tolist()))
    )
