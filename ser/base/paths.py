"""Where the runs of an experiment and their predictions lie."""

import re
from collections.abc import Iterable
from pathlib import Path

PRETRAIN = "pretrain"  # the recognisers, in the folder of an experiment
CURVE = "train.jsonl"  # in the folder of a training run
MOVED_ASIDE = re.compile(r"\.\d{8}-\d{6}$|^\.")  # by --force, and what is hidden


def run_folder(exp_dir: Path, system: str, seed: int | str, fold: str) -> Path:
    """The folder of one fine-tuning run."""
    return exp_dir / system / f"seed{seed}" / f"fold{fold}"


def run_folders(
    exp_dir: Path, system: str, seeds: Iterable[str], folds: Iterable[str]
) -> list[Path]:
    """The folders of a system's runs."""
    folds = list(folds)
    return [run_folder(exp_dir, system, seed, fold) for seed in seeds for fold in folds]


def is_run_folder(name: str) -> bool:
    """Whether a path of a record can be that of a run."""
    return "\0" not in name and len(Path(name).parts) >= len(("system", "seed", "fold"))


def prediction_table(folder: Path, system: str, seed: int | str, fold: str) -> Path:
    """What a run predicts of its test fold, in the folder of all predictions."""
    return folder / system / f"seed{seed}_fold{fold}.tsv"


def prediction_table_of(folder: Path, run: Path) -> Path:
    """The same by the run's folder."""
    system, seed, fold = run.parts[-3:]
    return prediction_table(folder, system, seed.removeprefix("seed"), fold.removeprefix("fold"))


def run_of_table(table: Path) -> Path:
    """The folder of the run that predicted a table."""
    seed, _, fold = table.stem.removeprefix("seed").partition("_fold")
    return run_folder(table.parents[2], table.parent.name, seed, fold)
