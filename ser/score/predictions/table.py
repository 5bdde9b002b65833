"""What stage 5 wrote of one system, seed and held-out fold, validated."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ser.base.errors import SerError, first_few
from ser.base.files import read_text
from ser.base.record import Stage, rerun_hint
from ser.kaldi.data_dir import VOTES, is_positive

FIRST_COLUMNS = ("utt", "spk", "session", "fold_list", "ref", "hyp")
POSTERIOR_PREFIX = "post_"
POSTERIOR_TOLERANCE = 1e-3
ROUNDING = 1.5e-6  # tables have six digits


@dataclass(frozen=True)
class PredictionRow:
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
        ctc_text: The transcript of the CTC head; None for a system without one.
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


def columns(labels: Sequence[str], with_words: bool) -> tuple[str, ...]:
    """The columns of a table.

    Args:
        labels: The classes.
        with_words: Whether the system has a CTC head.
    """
    posteriors = (POSTERIOR_PREFIX + label for label in labels)
    return (*FIRST_COLUMNS, *posteriors, "ref_text", *(["ctc_text"] if with_words else []))


def read_prediction_file(path: Path) -> tuple[tuple[str, ...], list[PredictionRow]]:
    """Reads the predictions of one model on one fold.

    Returns:
        The classes in their order, and the predictions in the order of the file.

    Raises:
        SerError: The file is missing, cut or empty, a column is missing, an utterance stands
            twice, a class is unknown, a speaker or session has no name, posteriors are no
            probabilities that sum to 1, or ``hyp`` is not the most probable class.
    """
    header, rows = _read_tsv(path)
    labels = tuple(
        name.removeprefix(POSTERIOR_PREFIX) for name in header if name.startswith(POSTERIOR_PREFIX)
    )
    if not labels or header not in (columns(labels, False), columns(labels, True)):
        raise fault(
            path,
            f"the columns are {' '.join(header)}",
            f"{' '.join(FIRST_COLUMNS)} {POSTERIOR_PREFIX}<label>... ref_text [ctc_text]",
        )
    if not rows:
        raise fault(path, "0 utterances", "one or more")
    return labels, [_prediction(path, labels, values) for values in rows.values()]


def _prediction(path: Path, labels: Sequence[str], values: Mapping[str, str]) -> PredictionRow:
    """One row, checked."""
    utt = values["utt"]
    for column in ("ref", "hyp"):
        if values[column] not in labels:
            raise fault(
                path, f"{utt}: {column} is '{values[column]}'", f"one of {' '.join(labels)}"
            )
    for column in ("spk", "session"):
        if not values[column]:
            raise fault(path, f"{utt}: {column} is empty", "a name")
    names = [POSTERIOR_PREFIX + label for label in labels]
    posteriors = tuple(_probability(path, utt, name, values[name]) for name in names)
    if abs(math.fsum(posteriors) - 1) > POSTERIOR_TOLERANCE:
        raise fault(path, f"{utt}: the posteriors sum to {math.fsum(posteriors):.4f}", "a sum of 1")
    if posteriors[labels.index(values["hyp"])] < max(posteriors) - ROUNDING:
        best = labels[posteriors.index(max(posteriors))]
        raise fault(path, f"{utt}: hyp is '{values['hyp']}'", f"the most probable class, '{best}'")
    return PredictionRow(
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


def read_attributes(path: Path, utts: Sequence[str]) -> dict[str, dict[str, str]]:
    """Reads what is known of the utterances: value by utterance, by attribute.

    Raises:
        SerError: The file is missing or malformed, lacks an utterance, or has a duration that is
            none, or votes that are invalid.
    """
    header, rows = _read_tsv(path)
    absent = [utt for utt in utts if utt not in rows]
    if absent:
        raise fault(path, f"without {first_few(absent)}", "every predicted one")
    for utt in utts:
        if "dur" in header and not is_positive(rows[utt]["dur"]):
            raise fault(path, f"{utt}: dur is '{rows[utt]['dur']}'", "seconds above 0")
        if "votes" in header and not VOTES.fullmatch(rows[utt]["votes"]):
            raise fault(
                path, f"{utt}: votes is '{rows[utt]['votes']}'", "such as E1=ang E2=neu,sad"
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
            raise fault(path, f"{fields[0]} occurs twice (line {number})", "each utterance once")
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


def fault(path: Path, wrong: str, expected: str) -> SerError:
    """The error for a table that is not as stage 5 writes it."""
    return SerError(f"{path}: {wrong}; expected {expected}; run {rerun_hint(Stage.PREDICT)}")
