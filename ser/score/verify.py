"""Rebuilds the report from the shipped predictions, and says where it differs."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ser.base.errors import SerError
from ser.base.files import digest_file, read_json, read_text
from ser.score.held_out import check_held_out
from ser.score.paper import PaperResult
from ser.score.predictions import read_predictions
from ser.score.report import report
from ser.score.results import Results, assemble_results
from ser.score.training import read_audit


def input_digests(
    exp_dir: Path, systems: Sequence[str], seeds: Sequence[str], folds: Sequence[str]
) -> dict[str, str]:
    """SHA-256 of every file that the figures come from, by path inside ``exp``.

    A file that is not there has none.
    """
    names = [
        f"predictions/{system}/seed{seed}_fold{fold}.tsv"
        for system in systems
        for seed in seeds
        for fold in folds
    ]
    names += ["predictions/attributes.tsv", "audit.json", *(f"folds/fold{name}" for name in folds)]
    return {name: digest_file(exp_dir / name) for name in names if (exp_dir / name).exists()}


def verify(exp_dir: Path, published: Path | None = None) -> list[str]:
    """What is wrong with the results in a folder; empty where all can be rebuilt.

    Neither audio nor weights are needed: ``results.json``, ``RESULTS.md``, ``predictions/``,
    ``folds/`` and ``audit.json`` are.

    Args:
        exp_dir: Folder of an experiment.
        published: A copy of RESULTS.md to verify too.

    Raises:
        SerError: ``results.json`` is missing or is none.
    """
    stated = read_json(exp_dir / "results.json")
    try:
        run, digests = stated["run"], stated["digests"]
        which = (list(stated["systems"]), run["seeds"], run["folds"])
    except (KeyError, TypeError) as error:
        raise SerError(
            f"{exp_dir / 'results.json'}: no key {error}; expected what stage 6 writes; rerun it"
        ) from error
    found = list(_changed_files(digests, input_digests(exp_dir, *which)))
    try:
        rebuilt = rebuild(exp_dir, stated)
    except SerError as error:
        return [*found, str(error)]
    path = exp_dir / "results.json"
    found += [f"{path}: {what}" for what in _differences(stated, rebuilt)]
    found += _different_text(exp_dir / "RESULTS.md", report(rebuilt, with_figures=True))
    if published:
        found += _different_text(published, report(rebuilt))
    return found


def rebuild(exp_dir: Path, stated: Results) -> Results:
    """``results.json`` anew from the predictions; of the old one only what it says of the run.

    Raises:
        SerError: A table is missing, malformed or of another protocol.
    """
    run, systems = stated["run"], stated["systems"]
    which = (list(systems), run["seeds"], run["folds"])
    predictions = read_predictions(exp_dir / "predictions", *which)
    check_held_out(predictions, exp_dir / "predictions", exp_dir / "folds")
    paper = {
        name: PaperResult(wa=100 * row["paper"]["wa"], ua=100 * row["paper"]["ua"])
        for name, row in systems.items()
        if "paper" in row
    }
    audited = read_audit(exp_dir)
    rebuilt = assemble_results(predictions, paper, run, audited, stated["num_rounds"])
    rebuilt |= {"digests": input_digests(exp_dir, *which), "figures": stated["figures"]}
    plain: Results = json.loads(json.dumps(rebuilt))
    return plain


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
    lines, wanted = read_text(path).split("\n"), expected.split("\n")
    for number, (line, want) in enumerate(zip(lines, wanted, strict=False), start=1):
        if line != want:
            return [f"{path}:{number}: '{line}'; the predictions give '{want}'"]
    if len(lines) != len(wanted):
        return [f"{path}: {len(lines)} lines; the predictions give {len(wanted)}"]
    return []
