"""``RESULTS.md`` and the table on the terminal: the results as text, nothing computed anew."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ser.score.results import Results

NONE = "—"

Table = list[list[str]]
"""Rows of cells, the header first."""


def terminal_table(results: Results) -> str:
    """The main table as aligned plain text."""
    lines = _aligned(main_table(results), num_text_columns=2)
    width = max(len("  ".join(line)) for line in lines)
    texts = ["  ".join(line).rstrip() for line in lines]
    return "\n".join([texts[0], "-" * width, *texts[1:]])


def report(results: Results, figures: Sequence[str] = ()) -> str:
    """The report in Markdown.

    Args:
        results: ``results.json``.
        figures: Paths of figures, relative to the report; without any it has no such section.
    """
    run = results["run"]
    versions = run["versions"]
    stack = ", ".join(
        f"{name} {versions[name]}" for name in ("python", "torch") if name in versions
    )
    sections = [
        "# Results",
        f"Written by stage 6 of `{run['command']}`; git commit `{run['git_commit']}`, predictions "
        f"of {run['finished']}, {stack}.",
        _markdown(main_table(results), num_text_columns=2),
        _legend(results),
        "## Recall by class",
        _markdown(_recall_table(results)),
        *_breakdowns(results),
        "## Confusion matrices",
        "Utterances; rows are references, columns hypotheses"
        + (f"; summed over {len(run['seeds'])} seeds." if len(run["seeds"]) > 1 else "."),
        *_confusions(results),
        *_training(run, results["systems"]),
        "## Environment",
        _markdown([["package", "version"], *([k, v] for k, v in versions.items())], 2),
    ]
    if figures:
        links = "\n\n".join(f"![{Path(path).stem.replace('_', ' ')}]({path})" for path in figures)
        sections += ["## Figures", links]
    return "\n\n".join(sections) + "\n"


def main_table(results: Results) -> Table:
    """The form of the paper's Table 1, in percent; the paper's own columns where there are any."""
    systems: Mapping[str, Any] = results["systems"]
    columns: dict[str, Callable[[Mapping[str, Any]], str]] = {
        "WA %": lambda s: percent(s["wa"]),
        "UA %": lambda s: percent(s["ua"]),
        "macro-F1 %": lambda s: percent(s["macro_f1"]),
        "WA % by fold": lambda s: _mean_sd(s["wa_fold_mean"], s["wa_fold_sd"]),
        "UA % by fold": lambda s: _mean_sd(s["ua_fold_mean"], s["ua_fold_sd"]),
        "macro-F1 % by fold": lambda s: _mean_sd(s["macro_f1_fold_mean"], s["macro_f1_fold_sd"]),
        "WER %": lambda s: percent(s["wer"]),
    }
    if any("paper" in row for row in systems.values()):
        columns["paper WA %"] = lambda s: percent(s.get("paper", {}).get("wa"))
        columns["paper UA %"] = lambda s: percent(s.get("paper", {}).get("ua"))
    return [
        ["system", "in the code", *columns],
        *(
            [row["paper_name"] or NONE, name, *(cell(row) for cell in columns.values())]
            for name, row in systems.items()
        ),
    ]


def _row_name(name: str, row: Mapping[str, Any]) -> str:
    """The paper's name, where it has one, and the code's."""
    return f"{row['paper_name']}, `{name}`" if row["paper_name"] else f"`{name}`"


def percent(fraction: float | None) -> str:
    """``0.706`` as ``70.6``."""
    return NONE if fraction is None else f"{100 * fraction:.1f}"


def _mean_sd(mean: float, sd: float | None) -> str:
    return f"{percent(mean)} ± {percent(sd)}"


def _legend(results: Results) -> str:
    run = results["run"]
    num_utts = max(row["num_utts"] for row in results["systems"].values())
    seeds, folds = " ".join(run["seeds"]), " ".join(run["folds"])
    lines = [
        f"- WA (correct / all), UA (mean recall of the classes) and macro-F1: pooled over the "
        f"{num_utts} utterances of the folds {folds}, each predicted by a model that never saw its "
        f"fold; with several seeds the mean over them. Seeds: {seeds}.",
        f"- By fold: mean ± standard deviation over the {len(run['seeds']) * len(run['folds'])} "
        "values, one a seed and fold.",
        "- WER: greedy CTC transcripts of the auxiliary recogniser on the same utterances.",
    ]
    if run["protocol"]:
        settings = ", ".join(f"`{key}: {value}`" for key, value in run["protocol"].items())
        lines.append(f"- Protocol: {settings}.")
    if any("paper" in row for row in results["systems"].values()):
        lines.append("- Paper: Table 1 of Park & Kim (2021), as printed there.")
    return "\n".join(lines)


def _recall_table(results: Results) -> Table:
    return [
        ["system", *(f"{label} %" for label in results["labels"])],
        *(
            [_row_name(name, row), *(percent(row["recall"][label]) for label in results["labels"])]
            for name, row in results["systems"].items()
        ),
    ]


def _breakdowns(results: Results) -> list[str]:
    systems: Mapping[str, Any] = results["systems"]
    sections = []
    for attribute, groups in next(iter(systems.values()))["by"].items():
        if len(groups) < 2:
            continue  # all utterances, or none: nothing that the main table does not say
        header = [f"{value}: {name} %" for value in groups for name in ("WA", "UA")]
        rows = [
            [
                _row_name(name, row),
                *(percent(row["by"][attribute][v][m]) for v in groups for m in ("wa", "ua")),
            ]
            for name, row in systems.items()
        ]
        counts = ", ".join(f"{value} {group['num_utts']}" for value, group in groups.items())
        sections += [
            f"## By {attribute}",
            _markdown([["system", *header], *rows]),
            f"Utterances: {counts}.",
        ]
    return sections


def _confusions(results: Results) -> list[str]:
    labels = results["labels"]
    sections = []
    for name, row in results["systems"].items():
        counts = summed_confusion(row)
        rows = [[label, *map(str, line)] for label, line in zip(labels, counts, strict=True)]
        sections += [f"### {_row_name(name, row)}", _markdown([["reference", *labels], *rows])]
    return sections


def summed_confusion(row: Mapping[str, Any]) -> list[list[int]]:
    """Counts (C, C) of a system, summed over its seeds."""
    matrices = [seed["confusion"] for seed in row["seeds"].values()]
    return [
        [sum(cells) for cells in zip(*lines, strict=True)] for lines in zip(*matrices, strict=True)
    ]


def _training(run: Mapping[str, Any], systems: Mapping[str, Any]) -> list[str]:
    """What pre-training reached, and how long training took."""
    sections = []
    if run["pretrain"]:
        header = ["recogniser", "epochs", "validation loss", "validation WER %", "hours"]
        rows = [
            [
                name,
                str(end["num_epochs"]),
                NONE if end["valid_loss"] is None else f"{end['valid_loss']:.3f}",
                percent(end["valid_wer"]),
                _hours(end["wall_seconds"]),
            ]
            for name, end in run["pretrain"].items()
        ]
        sections += ["## Pre-training, last epoch", _markdown([header, *rows])]
    rows = [
        [_row_name(name, systems[name]), str(time["num_runs"]), _hours(time["wall_seconds"])]
        for name, time in run["finetune"].items()
        if time["num_runs"]
    ]
    if rows:
        sections += [
            "## Fine-tuning time",
            _markdown([["system", "runs", "hours"], *rows]),
            "Optimiser steps of each run, summed; runs side by side slow each other down.",
        ]
    return sections


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.2f}"


def _aligned(table: Table, num_text_columns: int) -> Table:
    """Cells padded to their column's width: text to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        [
            cell.ljust(width) if i < num_text_columns else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        for row in table
    ]


def _markdown(table: Table, num_text_columns: int = 1) -> str:
    header, *rows = _aligned(table, num_text_columns)
    rule = [
        "-" * len(cell) if i < num_text_columns else "-" * (len(cell) - 1) + ":"
        for i, cell in enumerate(header)
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows))
