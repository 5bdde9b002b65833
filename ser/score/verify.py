"""Rebuilds the report from the shipped predictions, and says where it differs."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ser.base.errors import SerError, first_few
from ser.base.files import read_json_as, read_text
from ser.base.paths import PRETRAIN, run_folders
from ser.base.record import Stage, rerun_hint
from ser.score.predictions.experiment import Predictions
from ser.score.report.files import ReportFiles
from ser.score.report.page import page, stated_audio
from ser.score.report.paper import PaperResult, read_paper_results
from ser.score.report.report import report
from ser.score.report.schema import ResultsSchema
from ser.score.results import Results, figure_digests, input_digests, score_experiment


@dataclass(frozen=True)
class Verdict:
    """What verification found.

    Attributes:
        wrong: Each difference in a line; empty where all that is there can be rebuilt.
        unchecked: What is shown but cannot be rebuilt from what is there, and tables that are there
            but not shown.
    """

    wrong: Sequence[str]
    unchecked: Sequence[str]


def verify(
    exp_dir: Path, published: Path | None = None, conf: Path | None = None, partial: bool = False
) -> Verdict:
    """Rebuilds ``results.json``, ``RESULTS.md`` and ``report.html``, and compares.

    Neither audio nor weights are needed: ``results.json``, ``RESULTS.md``, ``predictions/``,
    ``folds/`` and ``audit.json`` are. What else the report shows is compared where it is there:
    figures and page, times and losses of training.

    Args:
        exp_dir: Folder of an experiment.
        published: A copy of RESULTS.md to verify too.
        conf: Whose ``paper_results.yaml`` the paper's columns must be from.
        partial: Whether the report of some of the folds is meant, which lies beside that of all.

    Raises:
        SerError: ``results.json`` is missing or malformed.
    """
    files = ReportFiles(exp_dir, partial)
    path = files.results
    below = sorted(str(found.parent) for found in exp_dir.glob(f"*/{path.name}"))
    if below and not path.exists():
        raise SerError(
            f"{exp_dir}: no {path.name}; expected an experiment that stage 6 has scored; there is "
            f"{first_few(below)}: name one of these"
        )
    remedy = f"run {rerun_hint(Stage.SCORE, path)}"
    raw: Any = read_json_as(path, ResultsSchema, "stage 6", remedy)
    stated = ResultsSchema.model_validate(raw)
    run = stated.run
    digests = input_digests(exp_dir, list(stated.systems), run.seeds, run.folds)
    wrong = list(_changed_files(stated.digests, digests))
    unchecked = list(_unchecked(files, stated, conf))
    try:
        predictions, rebuilt = rebuild(files, stated, raw["run"], conf)
        wrong += [f"{path}: {what}" for what in _differences(raw, rebuilt)]
        wrong += _different_text(files.report, report(rebuilt, files.figures.name))
        wrong += _different_page(files, rebuilt, predictions)
        if published:
            wrong += _different_text(published, report(rebuilt))
    except SerError as error:
        wrong.append(str(error))
    return Verdict(wrong, unchecked)


def rebuild(
    files: ReportFiles, stated: ResultsSchema, stated_run: Mapping[str, Any], conf: Path | None
) -> tuple[Predictions, Results]:
    """The predictions, and ``results.json`` anew from them.

    Of the old one is taken only what no file has: the command, the number of rounds, and, where
    logs and configuration are not there, training times, recognisers and the paper's figures.

    Raises:
        SerError: A table is missing, malformed or of another protocol.
    """
    predictions, rebuilt = score_experiment(
        files,
        list(stated.systems),
        stated.run.seeds,
        stated.run.folds,
        stated.run.command,
        None if stated.run.pretrain_elsewhere else files.exp_dir / PRETRAIN,
        read_paper_results(conf, stated.run.protocol) if conf else _stated_paper(stated),
        stated_run,
        stated.num_rounds,
    )
    drawn = files.figures.is_dir()
    rebuilt["figures"] = (
        figure_digests(files.figures, list(stated.figures)) if drawn else dict(stated.figures)
    )
    plain: Results = json.loads(json.dumps(rebuilt))
    return predictions, plain


def _stated_paper(stated: ResultsSchema) -> dict[str, PaperResult]:
    return {
        name: PaperResult(wa=100 * row.paper.wa, ua=100 * row.paper.ua)
        for name, row in stated.systems.items()
        if row.paper
    }


def _unchecked(files: ReportFiles, stated: ResultsSchema, conf: Path | None) -> Iterator[str]:
    yield f"the command, {stated.run.command}"
    yield "where the audio that report.html plays lies"
    if _stated_paper(stated) and not conf:
        yield "the paper's columns; --conf names the folder of paper_results.yaml"
    exp_dir = files.exp_dir
    trained = [system for system, time in stated.run.finetune.items() if time.num_runs]
    runs = [exp_dir / name for name in stated.run.published]
    for system in trained:
        runs += run_folders(exp_dir, system, stated.run.seeds, stated.run.folds)
    if any(not run.is_dir() for run in runs):
        yield "times of training and published weights: runs are not there"
    for folder, what in (
        (files.figures, f"figures and {files.page.name}"),
        (exp_dir / PRETRAIN, "pre-training"),
    ):
        if not folder.is_dir():
            yield f"{what}: {folder} is not there"
    tables = {str(path.relative_to(exp_dir)) for path in exp_dir.glob("predictions/*/*.tsv")}
    if unused := sorted(tables - stated.digests.keys()):
        yield f"{first_few(unused)}: the report does not use them"


def _changed_files(stated: Mapping[str, str], found: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(stated.keys() | found.keys()):
        if name not in found:
            yield f"{name}: missing; expected the file that was scored"
        elif stated.get(name) != found[name]:
            yield f"{name}: its SHA-256 is not that of the file that was scored"


def _differences(stated: Any, rebuilt: Any, key: str = "") -> Iterator[str]:
    """Where two JSON values differ; numbers may in their last digits."""
    if isinstance(stated, dict) and isinstance(rebuilt, dict):
        for name in sorted(stated.keys() | rebuilt.keys()):
            dotted = f"{key}.{name}" if key else name
            if name in stated and name in rebuilt:
                yield from _differences(stated[name], rebuilt[name], dotted)
            else:
                yield f"{dotted} is {'missing' if name in rebuilt else 'left over'}"
    elif isinstance(stated, list) and isinstance(rebuilt, list) and len(stated) == len(rebuilt):
        for i, (one, other) in enumerate(zip(stated, rebuilt, strict=True)):
            yield from _differences(one, other, f"{key}.{i}")
    elif not _same(stated, rebuilt):
        yield f"{key} is {stated!r}; the predictions give {rebuilt!r}"


def _same(one: Any, other: Any) -> bool:
    numbers = [isinstance(x, (int, float)) and not isinstance(x, bool) for x in (one, other)]
    if all(numbers):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return bool(one == other)


def _different_text(path: Path, expected: str) -> list[str]:
    """The first line in which a report differs from the one that is rebuilt."""
    if not path.exists():
        return [f"{path}: missing; expected the report"]
    lines, wanted = read_text(path).split("\n"), expected.split("\n")
    for number, (line, want) in enumerate(zip(lines, wanted, strict=False), start=1):
        if line != want:
            return [f"{path}:{number}: '{line}'; the predictions give '{want}'"]
    if len(lines) != len(wanted):
        return [f"{path}: {len(lines)} lines; the predictions give {len(wanted)}"]
    return []


def _different_page(files: ReportFiles, rebuilt: Results, predictions: Predictions) -> list[str]:
    """Whether the page differs; it holds the figures, and cannot be rebuilt without them."""
    path, figures = files.page, files.figures
    if not all((figures / name).exists() for name in rebuilt["figures"]):
        return []
    if not path.exists():
        return [f"{path}: missing; expected the page"]
    text = read_text(path)
    same = text == page(rebuilt, predictions, figures, stated_audio(text))
    return [] if same else [f"{path}: is not the page that the predictions and figures give"]
