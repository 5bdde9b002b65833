"""How far people agree: the votes of the annotators, and what they reach as classifiers."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from ser.kaldi.data_dir import SELF_REPORT

Votes = Mapping[str, tuple[str, ...]]
"""The classes that each annotator gave one utterance; an annotator may vote twice."""


def parse_votes(text: str, class_of: Mapping[str, str]) -> Votes:
    """Reads ``E1=ang E2=neu,fru``; a label outside the classes stays as it is.

    Args:
        text: A value of ``utt2votes``.
        class_of: The class of each of the corpus's labels.
    """
    votes = {}
    for entry in text.split():
        annotator, _, labels = entry.partition("=")
        if not SELF_REPORT.fullmatch(annotator):
            given = (class_of.get(label, label) for label in labels.split(","))
            votes[annotator] = tuple(dict.fromkeys(given))  # two labels of one class are one vote
    return votes


def agreement(votes: Votes, reference: str) -> str:
    """How many annotators gave the reference class: ``all``, ``some``, ``none``; "" without votes.

    One who gave it beside another class is some.
    """
    if not votes:
        return ""
    if not any(reference in labels for labels in votes.values()):
        return "none"
    return "all" if all(labels == (reference,) for labels in votes.values()) else "some"


def human_ceiling(votes_of: Mapping[str, Votes], references: Mapping[str, str]) -> dict[str, Any]:
    """WA and UA of each annotator against the majority of the others.

    A vote counts where the others have one majority (a tie is nobody's) and that is one of the
    classes that are scored. Of two votes of an annotator each counts half where they are scored,
    and whole in the majority that others are scored against. All annotators are pooled; UA is the
    mean over the classes of the majorities.

    Args:
        votes_of: Votes of each utterance.
        references: The class of each utterance, which gives the classes that are scored.

    Returns:
        ``wa``, ``ua`` and ``num_votes``; empty where no vote counts.
    """
    classes = set(references.values())
    right: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for votes in votes_of.values():
        for annotator, labels in votes.items():
            majority = _majority([v for name, v in votes.items() if name != annotator])
            if majority in classes:
                counts[majority] += 1
                right[majority] += labels.count(majority) / len(labels)  # type: ignore[assignment]  # halves
    if not counts:
        return {}
    return {
        "wa": sum(right.values()) / counts.total(),
        "ua": sum(right[name] / count for name, count in counts.items()) / len(counts),
        "num_votes": counts.total(),
    }


def _majority(votes: list[tuple[str, ...]]) -> str | None:
    """The class that most annotators gave; None for a tie."""
    ranked = Counter(label for labels in votes for label in labels).most_common(2)
    if not ranked or (len(ranked) == 2 and ranked[0][1] == ranked[1][1]):
        return None
    return ranked[0][0]
