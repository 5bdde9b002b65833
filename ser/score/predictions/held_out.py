"""Whether predictions are those of the protocol's folds: each utterance once, and held out."""

from collections.abc import Sequence
from pathlib import Path

from ser.base.paths import prediction_table
from ser.corpus.fold_files import TEST, fold_list_name, read_fold
from ser.score.predictions.experiment import Predictions
from ser.score.predictions.table import PredictionRow, fault


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
                missing = {u for u, part in parts.items() if part == TEST} - {p.utt for p in table}
                if missing:
                    raise fault(
                        path,
                        f"{min(missing)} and {len(missing) - 1} more are missing",
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
