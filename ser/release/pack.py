"""Finished runs of stage 4 -> one folder that is all a user needs, and the same as a .tar.gz."""

import glob
import re
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import ser
from ser.base.errors import SerError, first_few
from ser.base.files import digest_file, read_text, with_digest
from ser.base.log import logger
from ser.base.names import is_line
from ser.base.paths import prediction_table_of
from ser.base.record import Stage, first_difference, rerun_hint
from ser.base.writing import (
    atomic_file,
    atomic_folder,
    sole_run,
    write_json,
    write_text,
)
from ser.config.made_with import require_labels_of_recipe, require_labels_of_run
from ser.corpus.fold_files import fold_names, shorter_first
from ser.infer.loading import Run, read_run
from ser.infer.package import (
    BPE,
    CARD,
    FORMAT,
    MANIFEST,
    NOTICE,
    SHARED,
    Manifest,
)
from ser.nn.weights import load_weights, same_in_all, save_weights
from ser.predict.prediction import table_digest
from ser.release.card import recipe_name, table_row, write_card
from ser.release.place import require_place
from ser.score.predictions.table import PredictionRow, read_prediction_file
from ser.score.stats.calibration import fit_temperature
from ser.train.engine.selection import average_weights

LANGUAGE = re.compile("[a-z]{2,3}")


@dataclass(frozen=True, kw_only=True)
class Packing:
    """What is packed.

    Attributes:
        system: ``exp/<system>``.
        seed: Of fine-tuning.
        folds: Some folds; empty for all of the protocol.
        average: Whether their weights are averaged into one set.
        licence: Of the weights, as the card says it.
        data: What the model was trained on, as the card says it.
        data_licence: Of that.
        languages: ISO 639 codes of the speech.
        hub: ``owner/model``, by which the card calls it; else the folder's name.
    """

    system: Path
    seed: int
    folds: Sequence[str]
    average: bool
    licence: str
    data: str
    data_licence: str
    languages: Sequence[str] = ()
    hub: str = ""


def pack(packing: Packing, out: Path) -> Path:
    """Writes the folder and ``<out>.tar.gz`` beside it.

    The temperature is fitted to what the models say of their test folds, which none of them
    trained on.

    Returns:
        The archive.

    Raises:
        SerError: A run is missing, the runs differ in configuration or inputs, their classes are
            not those of their data, predictions or results are not of these runs, or something else
            is in the place of the folder or of the archive.
    """
    for text in (out.name, packing.licence, packing.data, packing.data_licence):
        if not (is_line(text) and text.strip()):
            fault = "not one line" if text.strip() else "empty"
            raise SerError(f"{text!a}: {fault}; expected one line, for the model card")
    if wrong := [code for code in packing.languages if not LANGUAGE.fullmatch(code)]:
        raise SerError(
            f"--language {' '.join(wrong)}: expected codes of ISO 639, two or three small letters, "
            "as en"
        )
    archive = require_place(out)
    runs = _runs(packing)
    first = next(iter(runs.values()))
    for run in runs.values():
        if first_difference(first.made_by, run.made_by):
            one, other = (r.made_by | {"inputs": r.inputs} for r in (first, run))
            raise SerError(
                f"{packing.system}: from fold {first.fold} to fold {run.fold} "
                f"{first_difference(one, other)}; expected folds that are made alike; "
                f"run {rerun_hint(Stage.FINETUNE, run.folder)}"
            )
        require_labels_of_run(run.folder, run.labels)
        require_labels_of_recipe(run.folder, run.labels)
    held_out = _held_out(packing, runs)
    row = table_row(packing.system, packing.seed, first.made_by)
    temperature = _temperature(held_out, first.labels.names)
    if temperature is None:
        why = f"all {len(held_out)} held-out decisions are right" if held_out else "no predictions"
        logger.warning("%s: %s; not calibrated", packing.system, why)
    trained_on = {
        "recipe": recipe_name(packing.system),
        "data": packing.data,
        "data_licence": packing.data_licence,
        "languages": list(packing.languages),
        "seed": packing.seed,
        "folds": list(runs),
        "protocol": first.protocol.model_dump(),
        "weights": "average" if packing.average and len(runs) > 1 else "ensemble",
        "num_calibrated_on": 0 if temperature is None else len(held_out),
        "published": first.published,
    }
    with sole_run(archive):  # of both
        with atomic_folder(out, MANIFEST) as folder:
            members, shared = _write_members(packing, runs, folder)
            if first.system.ctc_alpha:
                shutil.copyfile(first.folder / BPE, folder / BPE)
            if first.published and first.published.get("is_published", True):
                shutil.copyfile(Path(ser.__file__).with_name(NOTICE), folder / NOTICE)
            card = write_card(
                name=packing.hub or out.name,
                system=packing.system.name,
                version=ser.__version__,
                labels=first.labels.names,
                speaker_prior=first.system.readout.speaker_prior,
                temperature=temperature or 1.0,
                row=row,
                licence=packing.licence,
                **trained_on,
            )
            write_text(folder / CARD, card)
            digests = {path.name: digest_file(path) for path in sorted(folder.iterdir())}
            manifest = Manifest(
                format=FORMAT,
                ser_version=ser.__version__,
                system=packing.system.name,
                config=first.system,
                labels=list(first.labels.names),
                fbank=first.fbank,
                members=members,
                shared=shared,
                temperature=temperature or 1.0,
                longest_seconds=max(run.longest_seconds or 0.0 for run in runs.values()) or None,
                trained_on=trained_on,
                digests=digests,
                digest="",
            )
            write_json(folder / MANIFEST, with_digest(manifest.model_dump()))
        megabytes = sum(path.stat().st_size for path in out.iterdir()) / 1e6
        logger.info("%s: %.1f MB, %s sets of weights; -> %s", out, megabytes, len(members), archive)
        with atomic_file(archive) as partial, tarfile.open(partial, "w:gz") as tar:
            tar.add(out.resolve(), arcname=out.name)  # which may be a link to a folder
    return archive


def _runs(packing: Packing) -> dict[str, Run]:
    """The finished runs that are wanted, by fold; no others are read where the folds are known."""
    seed = packing.system / f"seed{packing.seed}"
    asked = list(packing.folds) or fold_names(packing.system.parent / "folds")
    trained = (path.parent.name.removeprefix("fold") for path in seed.glob("fold*/run.json"))
    names = [name for name in sorted(trained, key=shorter_first) if name in asked or not asked]
    read = [read_run(seed / f"fold{name}") for name in names]
    # Those that --force moved aside go by another name.
    finished = {run.fold: run for run in read if run.folder.name == f"fold{run.fold}"}
    wanted = asked or list(finished)
    lacking = [fold for fold in wanted if fold not in finished]
    predictions = packing.system.parent / "predictions" / packing.system.name
    if not finished and predictions.is_dir() and not any(packing.system.glob("seed*")):
        raise SerError(
            f"{packing.system}: no network; stage 5 fits it to each fold and keeps nothing to "
            "pack; expected a system that stage 4 trains; choose one of those"
        )
    if lacking or not wanted:
        what = f"fold {lacking[0]} is not" if packing.folds or finished else "no fold is"
        beside = packing.system.parent
        # Unlike Path.glob it passes over a folder that goes away meanwhile.
        found = {
            (beside / name).parents[1]
            for deep in ("*/seed*/fold*/run.json", "*/*/seed*/fold*/run.json")
            for name in glob.glob(deep, root_dir=beside)  # noqa: PTH207 - see above
        } - {seed}
        others = f" (there are {first_few(sorted(found))})" if found else ""
        raise SerError(
            f"{seed}: {what} trained; expected finished runs of stage 4{others}; run it, or choose "
            "another system, --seed or some of the --folds"
        )
    return {fold: finished[fold] for fold in wanted}


def _write_members(
    packing: Packing, runs: Mapping[str, Run], folder: Path
) -> tuple[list[str], str | None]:
    """The names of the members' files, and of that of the weights that all have alike, if any."""
    weights = {fold: load_weights(run.folder / "model.safetensors") for fold, run in runs.items()}
    if packing.average and len(weights) > 1:
        weights = {"average": average_weights(list(weights.values()))}
    common = same_in_all(list(weights.values()))
    if common:
        save_weights(folder / SHARED, common)
    names = []
    for fold, tensors in weights.items():
        names.append(f"fold{fold}.safetensors" if fold != "average" else "average.safetensors")
        own = {name: tensor for name, tensor in tensors.items() if name not in common}
        save_weights(folder / names[-1], own)
    return names, SHARED if common else None


def _held_out(packing: Packing, runs: Mapping[str, Run]) -> list[PredictionRow]:
    """What stage 5 wrote of the test folds of these very runs, as far as it did."""
    folder = packing.system.parent / "predictions"
    predictions: list[PredictionRow] = []
    for run in runs.values():
        path = prediction_table_of(folder, run.folder)
        if not path.exists():
            continue
        labels, found = read_prediction_file(path)
        if labels != run.labels.names:
            raise SerError(
                f"{path}: the classes are {' '.join(labels)}; expected {' '.join(run.labels.names)}"
                f" as in {run.folder}; run {rerun_hint(Stage.PREDICT)}"
            )
        noted = path.with_suffix(".sha256")
        if not noted.exists() or read_text(noted) != table_digest(path, run.folder, run.identity):
            raise SerError(
                f"{path}: not of {run.folder} as it is now; expected what stage 5 says of it; "
                f"run {rerun_hint(Stage.PREDICT)}"
            )
        predictions += found
    return predictions


def _temperature(predictions: Sequence[PredictionRow], labels: Sequence[str]) -> float | None:
    """The temperature that fits some predictions; None where there is none.

    If all decisions are right, every lower temperature fits better.
    """
    posteriors = np.array([p.posteriors for p in predictions])
    refs = np.array([labels.index(p.ref) for p in predictions])
    if not predictions or (posteriors.argmax(axis=1) == refs).all():
        return None
    return fit_temperature(posteriors, refs)
