"""All that is scored together: predictions of every system, seed and held-out fold."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired

from typing_extensions import TypedDict

from ser.base.errors import SerError, first_few
from ser.base.files import read_json_as
from ser.base.paths import is_run_folder, prediction_table
from ser.base.record import Sealed, Stage, rerun_hint
from ser.corpus.fold_files import TEST, fold_list_name, in_part, read_fold
from ser.score.predictions.table import (
    PredictionRow,
    fault,
    read_attributes,
    read_prediction_file,
)


@dataclass(frozen=True)
class Predictions:
    """All that is scored together.

    Attributes:
        labels: The classes in their order.
        folds: Predictions by system, seed and fold. A fold holds the same utterances, in the same
            order and with the same speakers, sessions, references and words, for every system and
            seed; folds are disjoint.
        attributes: Value by utterance, by attribute (``gender``, ``cue``, ...).
    """

    labels: tuple[str, ...]
    folds: Mapping[str, Mapping[str, Mapping[str, Sequence[PredictionRow]]]]
    attributes: Mapping[str, Mapping[str, str]]


class _Notes(TypedDict):
    sources: NotRequired[dict[str, str]]
    speaker_prior: NotRequired[dict[str, float]]  # of the systems that have one


class PredictRecord(TypedDict):
    """What is read of the ``run.json`` of stage 5."""

    inputs: dict[str, str]
    outputs: NotRequired[dict[str, Sealed]]
    notes: _Notes
    git_commit: str
    finished: str
    versions: dict[str, str]
    wall_seconds: float


def read_predict_record(folder: Path) -> PredictRecord:
    """The record of stage 5 in the folder of all predictions.

    Raises:
        SerError: It is missing, or is not what stage 5 writes.
    """
    remedy = f"remove the file and run {rerun_hint(Stage.PREDICT, folder)}"
    return read_json_as(folder / "run.json", PredictRecord, "stage 5", remedy)


def sources_of(record: PredictRecord) -> dict[str, str]:
    """The folder that each run's table was made from, by the run's: of vectors, of another run.

    Earlier versions noted none: there it is the run's own.
    """
    sources = record["notes"].get("sources", {name: name for name in record["inputs"]})
    return {run: source for run, source in sources.items() if is_run_folder(run)}


def check_runs(folder: Path, runs: Iterable[Path]) -> None:
    """Checks the record of stage 5 against the runs that are to be scored.

    Args:
        folder: Of all predictions.
        runs: Folders of runs.

    Raises:
        SerError: A run's table is not of stage 5's making, or its run has changed since.
    """
    predicted = {Path(name).resolve() for name in sources_of(read_predict_record(folder))}
    for run in runs:
        trained = run / "run.json"
        if (run / "started.json").exists() and not trained.exists():
            raise SerError(
                f"{run}: is being trained anew; expected it to be finished; "
                f"run {rerun_hint(Stage.FINETUNE)}"
            )
        if run.resolve() not in predicted:
            raise SerError(
                f"{run}: not among the runs that stage 5 predicted; expected its table; "
                f"run {rerun_hint(Stage.PREDICT)}"
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
    first_of_fold: dict[str, tuple[Path, list[PredictionRow]]] = {}
    read: dict[str, dict[str, dict[str, Sequence[PredictionRow]]]] = {}
    for system in systems:
        read[system] = {}
        for seed in seeds:
            read[system][seed] = {}
            for fold in folds:
                path = prediction_table(folder, system, seed, fold)
                labels_here, predictions = read_prediction_file(path)
                labels = labels or labels_here
                if labels_here != labels:
                    raise fault(path, f"the classes are {' '.join(labels_here)}", " ".join(labels))
                predictions.sort(key=lambda p: p.utt)
                _same_utterances(
                    path, predictions, *first_of_fold.setdefault(fold, (path, predictions))
                )
                read[system][seed][fold] = predictions
        _all_or_none_with_ctc(folder, system, read[system])
    _disjoint({fold: first_of_fold[fold] for fold in folds})
    utts = [p.utt for _, predictions in first_of_fold.values() for p in predictions]
    return Predictions(labels, read, read_attributes(folder / "attributes.tsv", utts))


def _same_utterances(
    path: Path, here: Sequence[PredictionRow], first_path: Path, first: Sequence[PredictionRow]
) -> None:
    """Checks that all systems and seeds predict the same utterances of a fold."""
    mine, others = {p.utt: p for p in here}, {p.utt: p for p in first}
    for utt in sorted(mine.keys() | others.keys()):
        if utt not in mine or utt not in others:
            there = first_path if utt in mine else path
            raise fault(path, f"{utt} is not in {there}", f"the same utterances as in {first_path}")
        for column in ("spk", "session", "ref", "ref_text"):
            value, other = getattr(mine[utt], column), getattr(others[utt], column)
            if value != other:
                raise fault(path, f"{utt}: {column} is '{value}'", f"'{other}', as in {first_path}")


def _all_or_none_with_ctc(
    folder: Path, system: str, seeds: Mapping[str, Mapping[str, Sequence[PredictionRow]]]
) -> None:
    files = {
        (s, f): predictions[0] for s, folds in seeds.items() for f, predictions in folds.items()
    }
    without = [key for key, prediction in files.items() if prediction.ctc_text is None]
    if 0 < len(without) < len(files):
        seed, fold = without[0]
        raise fault(
            prediction_table(folder, system, seed, fold),
            f"no column ctc_text, as in {len(without)} of {len(files)} files of the system",
            "it in all or in none",
        )


def _disjoint(folds: Mapping[str, tuple[Path, Sequence[PredictionRow]]]) -> None:
    """Checks that every utterance is in one fold alone."""
    path_of: dict[str, Path] = {}
    for path, predictions in folds.values():
        for prediction in predictions:
            other = path_of.setdefault(prediction.utt, path)
            if other != path:
                raise fault(
                    path, f"{prediction.utt} stands in {other.name} too", "each utterance once"
                )


def check_held_out(predictions: Predictions, folder: Path, fold_lists: Path) -> None:
    """Checks the predictions against the fold lists: each utterance of a test part once, no other.

    Args:
        predictions: What was read.
        folder: Where from.
        fold_lists: The protocol's fold lists, ``exp/folds``.

    Raises:
        SerError: A table names another fold list than is there (predictions of two protocols are
            mixed), holds an utterance that its fold does not hold out, or lacks one that it does.
    """
    for system, seeds in predictions.folds.items():
        for seed, folds in seeds.items():
            for fold, table in folds.items():
                path = prediction_table(folder, system, seed, fold)
                parts = read_fold(fold_lists, fold)
                _of_this_list(path, table, fold_list_name(fold_lists, fold))
                for prediction in table:
                    if parts.get(prediction.utt) != TEST:
                        raise fault(
                            path,
                            f"{prediction.utt} is not held out by fold {fold}",
                            f"utterances of the test part of {fold_lists / f'fold{fold}'}",
                        )
                missing = set(in_part(parts, TEST)) - {p.utt for p in table}
                if missing:
                    raise fault(
                        path,
                        f"without {first_few(sorted(missing))}",
                        "every utterance that the fold holds out",
                    )


def _of_this_list(path: Path, table: Sequence[PredictionRow], fold_list: str) -> None:
    for prediction in table:
        if prediction.fold_list != fold_list:
            raise fault(
                path,
                f"{prediction.utt} was predicted under {prediction.fold_list}",
                f"{fold_list}, the fold list that is there: not two protocols in one folder",
            )
