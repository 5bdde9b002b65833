"""What stage 5 wrote: the predictions of every system, seed and held-out fold, validated."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ser.base.errors import SerError
from ser.base.files import read_text
from ser.base.record import rerun_hint

STAGE = 5
FIRST_COLUMNS = ("utt", "spk", "session", "fold_list", "ref", "hyp")
POSTERIOR_PREFIX = "post_"
POSTERIOR_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Prediction:
    """One utterance, predicted by a model that never saw it.

    Attributes:
        utt: Its id.
        spk: Its speaker.
        session: Its recording session.
        fold_list: The list of the fold that it was held out in, with the list's digest.
        ref: The class that it has.
        hyp: The class that the model gives it.
        posteriors: Probability of each class, in the order of the labels; they sum to 1.
        ref_text: What was said, normalised; may be empty.
        ctc_text: What the auxiliary recogniser heard; None for a system without one.
    """

    utt: str
    spk: str
    session: str
    fold_list: str
    ref: str
    hyp: str
    posteriors: tuple[float, ...]
    ref_text: str
    ctc_text: str | None


@dataclass(frozen=True)
class Predictions:
    """All that is scored together.

    Attributes:
        labels: The classes in their order.
        folds: Predictions by system, seed and fold. A fold holds the same utterances, in the same
            order and with the same references, for every system and seed; folds are disjoint.
        attributes: Value by utterance, by attribute (``gender``, ``cue``, ...).
    """

    labels: tuple[str, ...]
    folds: Mapping[str, Mapping[str, Mapping[str, Sequence[Prediction]]]]
    attributes: Mapping[str, Mapping[str, str]]


def check_runs(record: Mapping[str, Any], runs: Iterable[Path]) -> None:
    """Holds the record of stage 5 to the runs that are to be scored.

    Raises:
        SerError: A run's table is not of stage 5's making, or its run has changed since.
    """
    for run in runs:
        trained = run / "run.json"
        if (run / "started.json").exists() and not trained.exists():
            raise SerError(
                f"{run}: is being trained anew; expected it to be finished; run {rerun_hint(4)}"
            )
        if str(run) not in record["inputs"]:
            raise SerError(
                f"{run}: not among the runs that stage 5 predicted; expected its table; "
                f"run {rerun_hint(STAGE)} for it"
            )


def read_predictions(
    folder: Path, systems: Sequence[str], seeds: Sequence[str], folds: Sequence[str]
) -> Predictions:
    """Reads the predictions of all asked systems, seeds and folds.

    Raises:
        SerError: A file is missing or malformed, an utterance is in two folds, or two files that
            should agree in labels or utterances do not.
    """
    for option, values in (("--systems", systems), ("--seeds", seeds), ("--folds", folds)):
        if not values:
            raise SerError(f"{option}: names 0 of them; expected one or more; name them")
    labels: tuple[str, ...] = ()
    first_of_fold: dict[str, tuple[Path, list[Prediction]]] = {}
    read: dict[str, dict[str, dict[str, Sequence[Prediction]]]] = {}
    for system in systems:
        read[system] = {}
        for seed in seeds:
            read[system][seed] = {}
            for fold in folds:
                path = folder / system / f"seed{seed}_fold{fold}.tsv"
                labels_here, predictions = read_prediction_file(path)
                labels = labels or labels_here
                if labels_here != labels:
                    raise fault(path, f"the classes are {' '.join(labels_here)}", " ".join(labels))
                predictions.sort(key=lambda p: p.utt)
                _same_utterances(
                    path, predictions, *first_of_fold.setdefault(fold, (path, predictions))
                )
                read[system][seed][fold] = predictions
        _all_or_none_with_ctc(folder / system, read[system])
    _disjoint({fold: first_of_fold[fold] for fold in folds})
    utts = [p.utt for _, predictions in first_of_fold.values() for p in predictions]
    return Predictions(labels, read, read_attributes(folder / "attributes.tsv", utts))


def read_prediction_file(path: Path) -> tuple[tuple[str, ...], list[Prediction]]:
    """Reads the predictions of one model on one fold.

    Returns:
        The classes in their order, and the predictions in the order of the file.

    Raises:
        SerError: The file is missing, cut or empty, a column is missing, an utterance stands
            twice, a class is unknown, or posteriors are no probabilities that sum to 1.
    """
    header, rows = _read_tsv(path)
    labels = tuple(
        name.removeprefix(POSTERIOR_PREFIX) for name in header if name.startswith(POSTERIOR_PREFIX)
    )
    posterior_columns = tuple(POSTERIOR_PREFIX + label for label in labels)
    expected = (*FIRST_COLUMNS, *posterior_columns, "ref_text")
    if not labels or header not in (expected, (*expected, "ctc_text")):
        raise fault(
            path,
            f"the columns are {' '.join(header)}",
            f"{' '.join(FIRST_COLUMNS)} {POSTERIOR_PREFIX}<label>... ref_text [ctc_text]",
        )
    if not rows:
        raise fault(path, "0 utterances", "one or more")
    predictions = []
    for utt, values in rows.items():
        for column in ("ref", "hyp"):
            if values[column] not in labels:
                raise fault(
                    path, f"{utt}: {column} is '{values[column]}'", f"one of {' '.join(labels)}"
                )
        posteriors = tuple(
            _probability(path, utt, name, values[name]) for name in posterior_columns
        )
        if abs(math.fsum(posteriors) - 1) > POSTERIOR_TOLERANCE:
            raise fault(
                path, f"{utt}: the posteriors sum to {math.fsum(posteriors):.4f}", "a sum of 1"
            )
        predictions.append(
            Prediction(
                utt=utt,
                spk=values["spk"],
                session=values["session"],
                fold_list=values["fold_list"],
                ref=values["ref"],
                hyp=values["hyp"],
                posteriors=posteriors,
                ref_text=values["ref_text"],
                ctc_text=values.get("ctc_text"),
            )
        )
    return labels, predictions


def read_attributes(path: Path, utts: Sequence[str]) -> dict[str, dict[str, str]]:
    """Reads what is known of the utterances: value by utterance, by attribute.

    Raises:
        SerError: The file is missing or malformed, or lacks an utterance.
    """
    header, rows = _read_tsv(path)
    absent = [utt for utt in utts if utt not in rows]
    if absent:
        raise fault(
            path, f"{absent[0]} and {len(absent) - 1} more are not in it", "every predicted one"
        )
    return {name: {utt: rows[utt][name] for utt in utts} for name in header[1:]}


def _read_tsv(path: Path) -> tuple[tuple[str, ...], dict[str, dict[str, str]]]:
    """The header, and the rows (value by column) by utterance; ``utt`` is the first column."""
    if not path.exists():
        raise fault(path, "no such file", "the predictions of this system, seed and fold")
    *lines, rest = read_text(path).split("\n")
    if rest or not lines:
        raise fault(path, f"the last line, {len(lines) + 1}, is cut", "a whole file")
    header = tuple(lines[0].split("\t"))
    if header[0] != "utt" or len(set(header)) < len(header):
        raise fault(path, f"the columns are {' '.join(header)}", "utt first, and each column once")
    rows: dict[str, dict[str, str]] = {}
    for number, line in enumerate(lines[1:], start=2):
        fields = line.split("\t")
        if len(fields) != len(header):
            raise fault(
                path, f"{fields[0]} (line {number}) has {len(fields)} columns", f"{len(header)}"
            )
        if fields[0] in rows:
            raise fault(path, f"{fields[0]} stands twice (line {number})", "each utterance once")
        rows[fields[0]] = dict(zip(header, fields, strict=True))
    return header, rows


def _probability(path: Path, utt: str, column: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1 + POSTERIOR_TOLERANCE:
        raise fault(path, f"{utt}: {column} is '{text}'", "a number from 0 to 1")
    return value


def _same_utterances(
    path: Path, here: Sequence[Prediction], first_path: Path, first: Sequence[Prediction]
) -> None:
    """Holds a fold to the same utterances and references in every system and seed."""
    different = {(p.utt, p.ref) for p in here} ^ {(p.utt, p.ref) for p in first}
    if different:
        utt = min(different)[0]
        raise fault(
            path,
            f"{utt} is not there, or has another ref, unlike in {first_path}",
            "the same utterances and references in both",
        )


def _all_or_none_with_ctc(
    folder: Path, seeds: Mapping[str, Mapping[str, Sequence[Prediction]]]
) -> None:
    files = {
        (s, f): predictions[0] for s, folds in seeds.items() for f, predictions in folds.items()
    }
    without = [key for key, prediction in files.items() if prediction.ctc_text is None]
    if 0 < len(without) < len(files):
        seed, fold = without[0]
        raise fault(
            folder / f"seed{seed}_fold{fold}.tsv",
            f"no column ctc_text, as in {len(without)} of {len(files)} files of the system",
            "it in all or in none",
        )


def _disjoint(folds: Mapping[str, tuple[Path, Sequence[Prediction]]]) -> None:
    """Holds every utterance to one fold."""
    path_of: dict[str, Path] = {}
    for path, predictions in folds.values():
        for prediction in predictions:
            other = path_of.setdefault(prediction.utt, path)
            if other != path:
                raise fault(
                    path, f"{prediction.utt} stands in {other.name} too", "each utterance once"
                )


def fault(path: Path, wrong: str, expected: str) -> SerError:
    """The error for a table that is not as stage 5 writes it."""
    return SerError(f"{path}: {wrong}; expected {expected}; run {rerun_hint(STAGE)}")
