"""What training and test have in common in the folds of a protocol, and what that alone is worth.

The table of overlaps counts what training or validation has, since validation selects the weights;
what is seen by each utterance, and what can be learnt without audio, is of training alone. Which
speakers a protocol may not share is a rule of ``ser.corpus.speaker_leak``.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rapidfuzz import fuzz, process

from ser.corpus.fold_files import TEST, TRAIN, in_part
from ser.corpus.same_audio import read_same_audio
from ser.kaldi.data_dir import DataDir
from ser.kaldi.table import Table
from ser.score.audit.baselines import accuracies, by_scene, by_words, majority

NEAR_PERCENT = 90  # of the characters of two lines that agree (normalised indel similarity)
LINES_AT_ONCE = 256  # each with every other: a byte a pair
TABLES = {
    "speaker": "utt2spk",
    "session": "utt2session",
    "dialogue": "utt2dialogue",
    "scene": "utt2scene",
    "line": "text",
}
SEEN, NEAR, NEW = "yes", "near", "no"


@dataclass(frozen=True)
class Fold:
    """One fold: ids by side.

    Attributes:
        name: Its name.
        train: Utterances of training.
        heard: Those of training and validation.
        test: Utterances of the test.
    """

    name: str
    train: Sequence[str]
    heard: Sequence[str]
    test: Sequence[str]


def split(folds: Mapping[str, Table]) -> list[Fold]:
    """The two sides of every fold."""
    return [
        Fold(
            name,
            in_part(parts, TRAIN),
            [utt for utt, part in parts.items() if part != TEST],
            in_part(parts, TEST),
        )
        for name, parts in folds.items()
    ]


def audit(data: DataDir, folds: Mapping[str, Table]) -> dict[str, Any]:
    """Everything the audit shows, as one JSON value.

    Args:
        data: ``data/ser``.
        folds: Part of each utterance, by fold.

    Returns:
        ``folds``: by fold the overlaps (test utterances whose speaker, session, ... training or
        validation has) and the class shares of both sides; ``baselines``: WA and UA of no-audio
        baselines over all folds; ``missing``: what is not known of the corpus; ``seen``: by test
        utterance whether its line and its scene are in training; ``seen_in``: that it is so, where
        there is validation (earlier versions counted it too).
    """
    known = {name: values for name, table in TABLES.items() if (values := _known(data, table))}
    known["audio"] = read_same_audio(data.path, data.utts)
    sides = split(folds)
    seen = {fold.name: _seen(fold.test, fold.train, known) for fold in sides}
    return {
        "folds": {fold.name: _fold(fold, data, known, seen[fold.name]) for fold in sides},
        "baselines": _baselines(sides, data, known),
        "missing": [name for name in TABLES if name not in known],
        "seen": seen,
        **({"seen_in": TRAIN} if any(len(f.train) < len(f.heard) for f in sides) else {}),
    }


def _known(data: DataDir, table: str) -> Table:
    """A table's values where it has any; lines count where they have words."""
    return {utt: value for utt, value in data.tables.get(table, {}).items() if value}


def _fold(
    fold: Fold, data: DataDir, known: Mapping[str, Table], seen: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    overlaps = {}
    for name, values in known.items():
        known_before = {values[utt] for utt in fold.heard if utt in values}
        again = [utt for utt in fold.test if utt in values and values[utt] in known_before]
        overlaps[name] = {"num_utts": len(again), "values": len({values[u] for u in again})}
    if "line" in known:
        if len(fold.heard) > len(fold.train):  # in validation too
            seen = _seen(fold.test, fold.heard, known)
        near = [utt for utt in fold.test if seen[utt].get("line") == NEAR]
        overlaps["near line"] = {
            "num_utts": len(near),
            "values": len({data["text"][u] for u in near}),
        }
    emotions = data["utt2emo"]
    return {
        "num_heard": len(fold.heard),
        "num_test": len(fold.test),
        "overlaps": overlaps,
        "priors": {
            side: dict(sorted(Counter(emotions[utt] for utt in utts).items()))
            for side, utts in (("heard", fold.heard), ("test", fold.test))
        },
    }


def _seen(
    test: Sequence[str], before: Sequence[str], known: Mapping[str, Table]
) -> dict[str, dict[str, str]]:
    """For each test utterance whether others before have its line, or nearly, and its scene."""
    found: dict[str, dict[str, str]] = {utt: {} for utt in test}
    if "scene" in known:
        known_before = {known["scene"][utt] for utt in before if utt in known["scene"]}
        for utt in test:
            if utt in known["scene"]:
                found[utt]["scene"] = SEEN if known["scene"][utt] in known_before else NEW
    if "line" in known:
        lines = known["line"]
        known_before = {lines[utt] for utt in before if utt in lines}
        new = sorted({lines[utt] for utt in test if utt in lines} - known_before)
        near = near_lines(new, sorted(known_before))
        for utt in test:
            if utt in lines:
                line = lines[utt]
                found[utt]["line"] = SEEN if line in known_before else NEAR if line in near else NEW
    return found


def near_lines(lines: Sequence[str], others: Sequence[str]) -> set[str]:
    """The lines of which another one has 90 % of the characters, in their order."""
    if not others:
        return set()
    near: set[str] = set()
    for first in range(0, len(lines), LINES_AT_ONCE):
        some = lines[first : first + LINES_AT_ONCE]
        similar = process.cdist(
            some, others, scorer=fuzz.ratio, score_cutoff=NEAR_PERCENT, dtype=np.uint8
        )
        near.update(some[i] for i in np.flatnonzero(similar.max(axis=1)).tolist())
    return near


def _baselines(
    folds: Sequence[Fold], data: DataDir, known: Mapping[str, Table]
) -> dict[str, dict[str, float]]:
    """WA and UA, pooled over the folds, of what has no audio."""
    emotions = data["utt2emo"]
    tested = [utt for fold in folds for utt in fold.test]
    constant = majority([emotions[utt] for utt in tested])
    hypotheses = {"constant": dict.fromkeys(tested, constant), "majority": {}}
    for fold in folds:
        labels = [emotions[utt] for utt in fold.train]
        hypotheses["majority"] |= dict.fromkeys(fold.test, majority(labels))
        for name, table, predict in (
            ("scene", "scene", by_scene),
            ("words", "line", by_words),
        ):
            if table in known:
                known_before, test = (
                    [known[table].get(u, "") for u in s] for s in (fold.train, fold.test)
                )
                predicted = predict(known_before, labels, test)
                hypotheses.setdefault(name, {}).update(zip(fold.test, predicted, strict=True))
    scores = {name: accuracies(emotions, labels) for name, labels in hypotheses.items()}
    return {name: {"wa": wa, "ua": ua} for name, (wa, ua) in scores.items()}
