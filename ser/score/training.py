"""What training left behind: learning curves, wall times, the protocol."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ser.base.errors import SerError
from ser.base.files import read_json, read_text

Curve = Sequence[Mapping[str, float]]
"""One run: the values of each epoch (``epoch``, ``emotion_loss``, ``seconds``, ...)."""


def read_curve(folder: Path) -> Curve:
    """The epochs of a run's ``train.jsonl``, empty where there is none.

    A last line without an end belongs to a run that is still writing, and is left out.

    Args:
        folder: The run's folder.

    Raises:
        SerError: A line is not a JSON object.
    """
    path = folder / "train.jsonl"
    if not path.exists():
        return []
    curve = []
    for number, line in enumerate(read_text(path).split("\n")[:-1], start=1):
        try:
            entry = json.loads(line)
            if entry["scope"] == "epoch":
                curve.append({name: value for name, value in entry.items() if name != "scope"})
        except (json.JSONDecodeError, TypeError, KeyError) as error:
            raise SerError(
                f"{path}:{number}: not an entry of a training log; expected a JSON object with "
                "'scope'; remove the line, it is for the curves alone"
            ) from error
    return curve


def run_folders(
    exp_dir: Path, system: str, seeds: Iterable[str], folds: Iterable[str]
) -> list[Path]:
    """The folders of a system's runs."""
    folds = list(folds)
    return [exp_dir / system / f"seed{seed}" / f"fold{fold}" for seed in seeds for fold in folds]


def read_curves(folders: Iterable[Path]) -> list[Curve]:
    """The learning curves of fine-tuning runs, those without any left out."""
    return [curve for folder in folders if (curve := read_curve(folder))]


def read_pretraining(folder: Path) -> dict[str, Curve]:
    """The learning curve of each recogniser in the pre-training folder, by its name.

    Runs that ``--force`` moved aside (``<name>.<date>``) are none of them.
    """
    if not folder.is_dir():
        return {}
    paths = [path for path in sorted(folder.iterdir()) if "." not in path.name]
    curves = {path.name: read_curve(path) for path in paths}
    return {name: curve for name, curve in curves.items() if curve}


def read_protocol(exp_dir: Path) -> dict[str, Any]:
    """The protocol that the folds were made with, empty where the folds are not there."""
    path = exp_dir / "folds" / "run.json"
    return dict(read_json(path)["config"]) if path.exists() else {}


def wall_time(folders: Iterable[Path]) -> dict[str, Any]:
    """Seconds of training of finished runs, summed, and how many runs these are."""
    paths = [path for folder in folders if (path := folder / "run.json").exists()]
    seconds = sum(read_json(path)["notes"]["train_seconds"] for path in paths)
    return {"num_runs": len(paths), "wall_seconds": round(seconds, 1)}
