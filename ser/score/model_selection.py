"""Settings compared on validation speakers alone: no test utterance is read."""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ser.base.arrays import Doubles
from ser.base.errors import SerError
from ser.base.paths import run_folders
from ser.base.record import Stage, first_difference, read_record, require, rerun_hint
from ser.score.report.document import NONE, ReportSection, code, percent, with_interval
from ser.score.report.provenance import read_curve, read_protocol, wall_time
from ser.score.stats.intervals import LEVEL_TEXT, CellCounts, jackknife_interval

LAST = "last"


def compare_settings(
    exp_dir: Path, systems: Sequence[str], seeds: Sequence[str], folds: Sequence[str]
) -> list[ReportSection]:
    """What each system reaches on the validation part of each fold.

    The value of a run is that of its last epoch or, where the protocol selects one, of its best;
    an average of epochs is not validated, its epochs are.

    Args:
        exp_dir: Has ``folds`` and finished runs of stage 4, under a protocol with validation.
        systems: The settings; differences are those to the first.
        seeds: Averaged.
        folds: What the interval is over.

    Returns:
        A table, and what each fold's own speakers would choose.

    Raises:
        SerError: The protocol has no validation, a run is not finished or stale, or the runs of a
            system are made differently.
    """
    protocol = read_protocol(exp_dir)
    if protocol.get("validation", "none") == "none":
        raise SerError(
            f"{exp_dir / 'folds'}: a protocol with validation none; expected one whose folds have "
            "a validation part; make them with --protocol conf/protocol/next_fold.yaml and an "
            "--exp-dir of their own"
        )
    for system in systems:
        if (exp_dir / system / "run.json").exists():  # of the vectors of a baseline
            raise SerError(
                f"{system}: a baseline, which has no figures of validation; expected systems that "
                "stage 4 trains; leave it out"
            )
    wanted = {s: run_folders(exp_dir, s, seeds, folds) for s in systems}
    missing = [run for runs in wanted.values() for run in runs if not (run / "run.json").exists()]
    if strange := [s for s in systems if not (exp_dir / s).is_dir()]:
        known = sorted({path.parent.name for path in exp_dir.glob("*/seed*")})
        raise SerError(
            f"{exp_dir}: no runs of {', '.join(strange)}; expected systems that were trained here "
            f"({', '.join(known) or 'none was'}); correct --systems, or train them in stage 4"
        )
    if missing:
        num_runs = sum(map(len, wanted.values()))
        raise SerError(
            f"{missing[0]}: not finished, as {len(missing)} of {num_runs} runs; expected all; run "
            f"./run.sh --stage 4 --stop-stage 4 --exp-dir {shlex.quote(str(exp_dir))} with the "
            "--conf, --protocol and --recogniser of its folds, these --systems and --seeds"
        )
    for runs in wanted.values():
        _require_alike(runs)
    last = protocol["selection"] == LAST
    figures = {
        name: np.stack([_reached(run, last) for run in runs])
        .reshape(len(seeds), len(folds), 2)
        .mean(axis=0)
        for name, runs in wanted.items()
    }
    header = [
        "system",
        f"UA % [{LEVEL_TEXT}]",
        f"difference [{LEVEL_TEXT}]",
        "WA %",
        "epochs",
        "minutes a run",
    ]
    header += [f"fold {fold}: UA %" for fold in folds]
    rows = [
        [
            name,
            *_row(figures, name),
            *_cost(wanted[name]),
            *map(percent, values[:, 1]),
        ]
        for name, values in figures.items()
    ]
    how = "last epoch" if last else "best epoch, which favours runs of many epochs"
    first = code(systems[0])
    text = (
        f"{len(systems)} settings on the validation part of {len(folds)} folds "
        f"({protocol['validation']}), {how}, mean of {len(seeds)} seed(s). Differences are to "
        f"{first}, by fold; intervals are Student's t over the folds, which share training "
        "speakers, and are not widened for the number of settings."
    )
    if protocol.get("speaker_dependent") or protocol["validation"] == "random_share":
        text += (
            " **Speakers who validate are heard in training too**: a setting may be ahead by "
            "knowing them."
        )
    if by_speaker := [name for name, runs in wanted.items() if _takes_speaker_mean(runs[0])]:
        text += (
            f" {code(', '.join(by_speaker))}: the mean of a speaker's turns is taken off each of "
            "them; who speaks is known, and all turns of the speaker are used."
        )
    return [
        ReportSection("", 1, text, [header, *rows]),
        ReportSection("", 1, _by_fold(figures, folds)),
    ]


def _takes_speaker_mean(run: Path) -> bool:
    system = read_record(run)["config"].get("system", {})
    return bool(system.get("readout", {}).get("speaker_prior"))


def _require_alike(runs: Sequence[Path]) -> None:
    """Checks that the runs of one system are whole and differ in seed and fold alone."""
    first: dict[str, Any] = {}
    for run in runs:
        record = require(run, Stage.FINETUNE)
        made = {key: record["config"].get(key) for key in ("system", "labels", "protocol")}
        made["inputs"] = sorted(record["inputs"].values())
        first = first or made
        if difference := first_difference(first, made):
            raise SerError(
                f"{run}: beside {runs[0]} {difference}; expected runs that are "
                f"made alike; run {rerun_hint(Stage.FINETUNE, run)}"
            )


def _reached(run: Path, last: bool) -> Doubles:
    """WA and UA (2,) on the validation part, of the epoch that the protocol keeps."""
    path = run / "train.jsonl"
    epochs = [(epoch.get("valid_wa"), epoch.get("valid_ua")) for epoch in read_curve(run)]
    if not epochs or any(value is None for epoch in epochs for value in epoch):
        raise SerError(
            f"{path}: an epoch without valid_wa and valid_ua; train it again (stage 4 with --force)"
        )
    values = np.array(epochs, dtype=float)
    best: Doubles = values[-1 if last else int(values[:, 1].argmax())]
    return best


def _row(figures: Mapping[str, Doubles], name: str) -> list[str]:
    """UA with its interval, the difference to the first system, and WA."""
    first = next(iter(figures))
    ua = np.column_stack([figures[name][:, 1], figures[first][:, 1]])
    cells = CellCounts(
        np.ones((len(ua), 1)), ua[:, None, :]
    )  # the jackknife of a mean is Student's t
    own, difference = (jackknife_interval(cells, "wa", c) for c in ((1, 0), (1, -1)))
    found = []
    for estimate in (own, difference):
        found.append(with_interval(estimate.value, estimate.ends))
    if name == first:
        found[1] = NONE
    return [*found, percent(figures[name][:, 0].mean())]


def _cost(runs: Sequence[Path]) -> list[str]:
    """Epochs and minutes of a run."""
    epochs = sorted({len(read_curve(run)) for run in runs})
    return [
        str(epochs[0]) if len(epochs) == 1 else f"{epochs[0]}-{epochs[-1]}",
        f"{wall_time(runs)['wall_seconds'] / len(runs) / 60:.1f}",
    ]


def _by_fold(figures: Mapping[str, Doubles], folds: Sequence[str]) -> str:
    """What each fold would choose by its own validation part."""
    ua = {name: values[:, 1] for name, values in figures.items()}
    best = [
        [name for name in ua if ua[name][i] == max(own[i] for own in ua.values())]
        for i in range(len(folds))
    ]
    equal = (" and ".join(map(code, names)) + " (equal)" * (len(names) > 1) for names in best)
    counted = Counter(equal).most_common()
    text = (
        "By its own validation part a fold chooses "
        f"{', '.join(f'{names} in {n}' for names, n in counted)} of {len(folds)}."
    )
    if len(folds) > 1:  # who validates one may be tested by another
        text += (
            " The mean over the folds has also seen the test speakers of a fold, who validate "
            "another: one setting chosen by it for all folds is a little too good for them where "
            "the folds by themselves do not agree on it."
        )
    return text
