"""What earlier stages left behind: learning curves, wall times, the protocol, the audit."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ser.base.errors import SerError
from ser.base.files import digest_file, digest_holds, digest_json, parsing, read_json_as, read_text
from ser.base.log import logger
from ser.base.paths import CURVE, MOVED_ASIDE, PRETRAIN, run_folders
from ser.base.record import Stage, read_record, rerun_hint
from ser.corpus.fold_files import VALID, fold_names, read_fold
from ser.score.predictions.experiment import read_predict_record
from ser.score.report.schema import Audited
from ser.score.stats.system import finite

REMEDY = "expected a JSON object with 'scope'; remove the line, it is for the curves alone"
Curve = Sequence[Mapping[str, float]]
"""One run: the values of each epoch (``epoch``, ``emotion_loss``, ``seconds``, ...)."""


def read_curve(folder: Path) -> Curve:
    """The epochs of a run's ``train.jsonl``, empty where there is none.

    A last line without an end belongs to a run that is still writing, and is left out.

    Args:
        folder: The run's folder.

    Raises:
        SerError: A line is not a JSON object, or the file is not as the finished run left it.
    """
    path = folder / CURVE
    if not path.exists():
        return []
    if (folder / "run.json").exists():
        noted = read_record(folder)["notes"].get("curve")  # version 0.1.0 noted none
        if noted not in (None, digest_file(path)):
            raise SerError(
                f"{path}: changed since the run ended (its SHA-256 differs); expected the losses "
                "that it wrote; put it back, or, for a report without them, remove it"
            )
    curve = []
    for number, line in enumerate(read_text(path).split("\n")[:-1], start=1):
        where = f"{path}:{number}"
        with parsing(where, "not an entry of a training log", REMEDY):
            entry = json.loads(line)
            if entry.pop("scope") == "epoch":
                if not all(isinstance(value, int | float) for value in entry.values()):
                    raise TypeError("expected numbers alone")
                if "epoch" not in entry:
                    raise TypeError("expected the number of the epoch")
                curve.append(entry)
    return curve


def read_curves(folders: Iterable[Path]) -> list[Curve]:
    """The learning curves of fine-tuning runs, those without any left out."""
    return [curve for folder in folders if (curve := read_curve(folder))]


def read_pretraining(folder: Path) -> dict[str, Curve]:
    """The learning curve of each recogniser in the pre-training folder, by its name.

    Runs that ``--force`` moved aside (``<name>.<date>``) are none of them.
    """
    if not folder.is_dir():
        return {}
    paths = [path for path in sorted(folder.iterdir()) if not MOVED_ASIDE.search(path.name)]
    curves = {path.name: read_curve(path) for path in paths}
    return {name: curve for name, curve in curves.items() if curve}


def read_protocol(exp_dir: Path) -> dict[str, Any]:
    """The protocol that the folds were made with, empty where the folds are not there."""
    folder = exp_dir / "folds"
    return dict(read_record(folder)["config"]) if (folder / "run.json").exists() else {}


def read_audit(exp_dir: Path) -> dict[str, Any] | None:
    """``audit.json`` of the protocol; None where stage 0 was run by an older version.

    Raises:
        SerError: It is malformed, or of other folds than there are now.
    """
    path = exp_dir / "audit.json"
    if not path.exists():
        return None
    remedy = f"run {rerun_hint(Stage.DATA)}"
    audited: Mapping[str, Any] = read_json_as(path, Audited, "stage 0", remedy)
    if "digest" in audited and not digest_holds(audited):  # 0.1.0 wrote none
        raise SerError(f"{path}: changed since stage 0 wrote it; {remedy}")
    folder = exp_dir / "folds"
    folds = {name: read_fold(folder, name) for name in fold_names(folder)}
    if audited["fold_digest"] != digest_json(folds):
        raise SerError(
            f"{path}: of other folds than {folder} holds; expected the audit of these; {remedy}"
        )
    if "seen_in" not in audited and any(VALID in parts.values() for parts in folds.values()):
        logger.warning(
            "%s: of an earlier version: 'in training' there is of validation too; for "
            "figures of training alone run %s",
            *(path, rerun_hint(Stage.DATA)),
        )
    return {key: value for key, value in audited.items() if key != "digest"}


def wall_time(folders: Iterable[Path]) -> dict[str, Any]:
    """Seconds of training of finished runs, summed, and how many runs these are."""
    paths = [path for folder in folders if (path := folder / "run.json").exists()]
    seconds = 0.0
    for path in paths:
        with parsing(path, "no seconds of training", "rerun stage 4 with --force"):
            seconds += read_record(path.parent)["notes"]["train_seconds"]
    return {"num_runs": len(paths), "wall_seconds": round(seconds, 1)}


def read_published(
    exp_dir: Path, systems: Iterable[str], seeds: Iterable[str], folds: Iterable[str]
) -> dict[str, dict[str, Any]]:
    """The published encoder of each system that starts from one."""
    seeds, folds = list(seeds), list(folds)
    found = {}
    for system in systems:
        folders = [exp_dir / system, *run_folders(exp_dir, system, seeds, folds)]
        records = [read_record(f) for f in folders if (f / "run.json").exists()]
        sources = (record["notes"].get("published") for record in records)
        if source := next(filter(None, sources), None):
            found[system] = source
    return found


def describe_run(
    exp_dir: Path,
    systems: Sequence[str],
    seeds: Sequence[str],
    folds: Sequence[str],
    command: str,
    pretrain: Path | None,
    earlier: Mapping[str, Any],
) -> dict[str, Any]:
    """How the predictions came about.

    Commit, versions and date are those of stage 5 and not of now, so that the same predictions
    always give the same report.

    Args:
        exp_dir: The experiment.
        systems: The systems scored.
        seeds: The seeds scored.
        folds: The folds scored.
        command: The user's command.
        pretrain: Folder of the recognisers; None where they are not at hand.
        earlier: What this said before, used where the files of training are gone.
    """
    record = read_predict_record(exp_dir / "predictions")
    times = {system: wall_time(run_folders(exp_dir, system, seeds, folds)) for system in systems}
    for system, said in earlier.get("finetune", {}).items():
        if system in times and times[system]["num_runs"] < said["num_runs"]:  # some are gone
            times[system] = said
    before = {s: said for s, said in earlier.get("published", {}).items() if s in times}
    published = before | read_published(exp_dir, systems, seeds, folds)
    noted = record["notes"].get("speaker_prior", {})
    priors = {system: noted[system] for system in systems if system in noted}
    curves = read_pretraining(pretrain) if pretrain else {}
    run = {
        "command": command,
        "git_commit": record["git_commit"],
        "finished": record["finished"],
        "versions": record["versions"],
        "protocol": read_protocol(exp_dir),
        "seeds": list(seeds),
        "folds": list(folds),
        "predict": {"wall_seconds": record["wall_seconds"]},
        "finetune": times,
        "pretrain": earlier.get("pretrain", {})
        | {name: last_epoch(curve) for name, curve in curves.items()},
        **({"published": published} if published else {}),
        **({"speaker_prior": priors} if priors else {}),
    }
    own = (exp_dir / PRETRAIN).resolve()
    if run["pretrain"] and (pretrain is None or pretrain.resolve() != own):
        run["pretrain_elsewhere"] = True  # in another recipe
    return run


def last_epoch(curve: Curve) -> dict[str, Any]:
    """What a run reached, and how long it took; null where that is no number."""
    last = curve[-1]
    return {
        "num_epochs": len(curve),
        "valid_loss": finite(last.get("valid_loss")),
        "valid_wer": finite(last.get("valid_wer")),
        "wall_seconds": round(sum(epoch.get("seconds", 0.0) for epoch in curve), 1),
    }
