"""Finished runs of stage 4 -> one folder that is all a user needs, and the same as a .tar.gz."""

import shutil
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jinja2 import Environment, PackageLoader, StrictUndefined

import ser
from ser.base.errors import SerError
from ser.base.files import digest_file, read_json, whole_folder, write_json, write_text
from ser.base.log import logger
from ser.infer.loading import read_run
from ser.infer.package import BPE, CARD, FORMAT, MANIFEST, Manifest
from ser.score.calibration import fit_temperature
from ser.score.prediction_table import read_prediction_file
from ser.train.checkpoint import load_weights, write_tensors


@dataclass(frozen=True, kw_only=True)
class Packing:
    """What is packed.

    Attributes:
        system: ``exp/<system>``.
        seed: Of fine-tuning.
        folds: Some folds; empty for all that are trained.
        average: Whether their weights are averaged into one set.
        licence: Of the weights, as the card says it.
        data: What the model was trained on, as the card says it.
    """

    system: Path
    seed: int
    folds: Sequence[str]
    average: bool
    licence: str
    data: str


def pack(packing: Packing, out: Path) -> Path:
    """Writes the folder and ``<out>.tar.gz`` beside it.

    The temperature is fitted to what the models say of their test folds, which none of them
    trained on.

    Returns:
        The archive.

    Raises:
        SerError: A run is missing, the runs are not of one configuration, or something else is in
            the place of the folder.
    """
    if out.exists() and not (out / MANIFEST).is_file():
        raise SerError(
            f"{out}: is there and is no package; expected a new name, or that of a package to "
            "replace; choose another --out"
        )
    runs = _runs(packing)
    described = [read_run(run) for run in runs.values()]
    if any(d != described[0] for d in described):
        raise SerError(
            f"{packing.system}: its folds differ in configuration; expected one; rerun stage 4"
        )
    config, labels, fbank = described[0]
    record = read_json(next(iter(runs.values())) / "run.json")
    temperature, num_scored = _temperature(packing, labels.names)
    trained_on = {
        "recipe": packing.system.resolve().parent.parent.name,
        "data": packing.data,
        "seed": packing.seed,
        "folds": list(runs),
        "protocol": record["config"]["protocol"],
        "weights": "average" if packing.average and len(runs) > 1 else "ensemble",
        "num_calibrated_on": num_scored,
    }
    with whole_folder(out) as folder:
        members = _write_members(packing, runs, folder)
        if config.ctc_alpha:
            shutil.copyfile(next(iter(runs.values())) / BPE, folder / BPE)
        card = _card(
            name=out.name,
            system=packing.system.name,
            version=ser.__version__,
            labels=labels.names,
            temperature=temperature,
            row=_table_row(packing.system),
            licence=packing.licence,
            **trained_on,
        )
        write_text(folder / CARD, card)
        digests = {path.name: digest_file(path) for path in sorted(folder.iterdir())}
        manifest = Manifest(
            format=FORMAT,
            ser_version=ser.__version__,
            system=packing.system.name,
            config=config,
            labels=list(labels.names),
            fbank=fbank,
            members=members,
            temperature=temperature,
            trained_on=trained_on,
            digests=digests,
        )
        write_json(folder / MANIFEST, manifest.model_dump())
    archive = out.with_name(f"{out.name}.tar.gz")
    partial = archive.with_name(f".{archive.name}.partial")
    with tarfile.open(partial, "w:gz") as tar:
        tar.add(out, arcname=out.name)
    partial.replace(archive)
    megabytes = sum(path.stat().st_size for path in out.iterdir()) / 1e6
    logger.info("%s: %.1f MB, %s sets of weights; %s", out, megabytes, len(members), archive)
    return archive


def _runs(packing: Packing) -> dict[str, Path]:
    """The folders of the finished runs, by fold."""
    seed = packing.system / f"seed{packing.seed}"
    found = {p.name.removeprefix("fold"): p for p in sorted(seed.glob("fold*"))}
    finished = {fold: path for fold, path in found.items() if (path / "run.json").exists()}
    wanted = list(packing.folds) or list(finished)
    lacking = [fold for fold in wanted if fold not in finished]
    if lacking or not wanted:
        what = f"fold {lacking[0]} is not" if lacking else "no fold is"
        raise SerError(
            f"{seed}: {what} trained; expected finished runs of stage 4; run it, or choose others "
            "of --seed and --folds"
        )
    return {fold: finished[fold] for fold in wanted}


def _write_members(packing: Packing, runs: dict[str, Path], folder: Path) -> list[str]:
    weights = {fold: load_weights(run / "model.safetensors") for fold, run in runs.items()}
    if packing.average and len(weights) > 1:
        sets = list(weights.values())
        mean = {
            name: torch.stack([w[name].double() for w in sets]).mean(dim=0).to(first.dtype)
            for name, first in sets[0].items()
        }
        weights = {"average": mean}
    names = []
    for fold, tensors in weights.items():
        names.append(f"fold{fold}.safetensors" if fold != "average" else "average.safetensors")
        write_tensors(folder / names[-1], tensors)
    return names


def _temperature(packing: Packing, labels: Sequence[str]) -> tuple[float, int]:
    """The temperature, and the number of utterances that it was fitted to; 1 without any."""
    folder = packing.system.parent / "predictions" / packing.system.name
    paths = sorted(folder.glob(f"seed{packing.seed}_fold*.tsv"))
    if not paths:
        logger.warning("warning: %s: no predictions; the temperature stays 1", folder)
        return 1.0, 0
    rows = [row for path in paths for row in read_prediction_file(path)[1]]
    posteriors = np.array([row.posteriors for row in rows])
    return fit_temperature(posteriors, np.array([labels.index(row.ref) for row in rows])), len(rows)


def _table_row(system: Path) -> dict[str, Any] | None:
    """The system's figures in ``results.json``, as the card has them."""
    path = system.parent / "results.json"
    row = read_json(path)["systems"].get(system.name) if path.exists() else None
    if row is None:
        return None

    def figure(name: str) -> str:
        interval = row[f"{name}_interval"]
        ends = "" if interval is None else " [{:.1f}, {:.1f}]".format(*(100 * x for x in interval))
        return f"{100 * row[name]:.1f} %{ends}"

    return {
        "wa": figure("wa"),
        "ua": figure("ua"),
        "num_utts": row["num_utts"],
        "seeds": " ".join(row["seeds"]),
    }


def _card(**values: Any) -> str:
    environment = Environment(
        loader=PackageLoader("ser.infer", ""),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  # Markdown, not HTML
    )
    return environment.get_template("card.md").render(**values)
