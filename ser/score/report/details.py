"""What follows the main table, as sections."""

from collections.abc import Mapping
from typing import Any

from ser.score.report.document import (
    NONE,
    ReportSection,
    escape,
    mean_sd,
    percent,
    row_name,
    upright,
    with_interval,
)
from ser.score.results import Results
from ser.score.stats.groups import TITLES
from ser.score.stats.intervals import LEVEL_TEXT
from ser.score.stats.system import all_agree, mean


def classes(results: Results) -> ReportSection:
    """Recall and precision of each class."""
    cells = [(label, m) for label in results["labels"] for m in ("recall", "precision")]
    table = [
        ["system", *(f"{label}: {m} %" for label, m in cells)],
        *(
            [row_name(name, row), *(percent(row[m][label]) for label, m in cells)]
            for name, row in results["systems"].items()
        ),
    ]
    return ReportSection("Recall and precision by class", 2, "", upright(table, "class"))


def folds(results: Results) -> ReportSection:
    """Each fold, the spread over them, and the plain interval."""
    run = results["run"]
    header = ["system", *(f"fold {fold}: WA %" for fold in run["folds"])]
    header += ["WA % ± sd", "UA % ± sd", "macro-F1 % ± sd", f"WA %, plain [{LEVEL_TEXT}]"]
    rows = [
        [
            row_name(name, row),
            *(
                percent(mean([seed["folds"][fold]["wa"] for seed in row["seeds"].values()]))
                for fold in run["folds"]
            ),
            *(
                mean_sd(row[f"{m}_fold_mean"], row[f"{m}_fold_sd"])
                for m in ("wa", "ua", "macro_f1")
            ),
            with_interval(row["wa"], row["wa_plain_interval"]),
        ]
        for name, row in results["systems"].items()
    ]
    copies = [
        escape(row_name(name, row))
        for name, row in results["systems"].items()
        if len(run["seeds"]) > 1 and all_agree(row["seeds"])
    ]
    once = f" (one a fold of {', '.join(copies)}, whose seeds all agree)" if copies else ""
    note = (
        f"A fold's WA is the mean over the seeds; mean ± standard deviation over the "
        f"{len(run['seeds']) * len(run['folds'])} values, one a seed and fold{once}. Plain: "
        f"percentiles of {results['num_rounds']:,} rounds of a hierarchical bootstrap (session, "
        "speaker, utterance), too short where few sessions differ."
    )
    return ReportSection("By fold", 2, "", upright([header, *rows], "figure"), note)


def breakdowns(results: Results) -> list[ReportSection]:
    """Figures of groups of utterances: by sex, line, length, ..."""
    systems: Mapping[str, Any] = results["systems"]
    found = []
    for name, groups in next(iter(systems.values()))["by"].items():
        if len(groups) < 2:
            continue  # the main table says it; the legend names it
        header = [f"{value}: {m}" for value in groups for m in (f"WA % [{LEVEL_TEXT}]", "UA %")]
        rows = [
            [
                row_name(system, row),
                *(
                    cell
                    for value in groups
                    for group in [row["by"][name][value]]
                    for cell in (
                        with_interval(group["wa"], group["wa_interval"]),
                        percent(group["ua"]),
                    )
                ),
            ]
            for system, row in systems.items()
        ]
        counts = ", ".join(f"{value} {group['num_utts']}" for value, group in groups.items())
        first = next(iter(systems.values()))
        unknown = first["num_utts"] - sum(group["num_utts"] for group in groups.values())
        counts += f", not known {unknown}" if unknown else ""
        table = upright([["system", *header], *rows], "group")
        note = f"Utterances: {escape(counts)}."
        found.append(ReportSection(f"By {TITLES[name]}", 2, "", table, note))
    return found


def undivided(results: Results) -> list[str]:
    """Breakdowns that would have one group: ``scene heard in training (yes)``."""
    first = next(iter(results["systems"].values()))
    return [
        f"{TITLES[name]} ({value})"
        for name, groups in first["by"].items()
        for value, group in groups.items()
        if group["num_utts"] == first["num_utts"]
    ]


def people(results: Results) -> list[ReportSection]:
    """Each speaker, and what the annotators reach."""
    systems: Mapping[str, Any] = results["systems"]
    speakers = next(iter(systems.values()))["by_speaker"]
    table = [
        ["speaker", "utterances", *(f"{row_name(n, row)}: WA %" for n, row in systems.items())],
        *(
            [
                speaker,
                str(group["num_utts"]),
                *(percent(row["by_speaker"][speaker]["wa"]) for row in systems.values()),
            ]
            for speaker, group in speakers.items()
        ),
    ]
    found = [ReportSection("By speaker", 2, "", table)]
    if results["human"]:
        human = results["human"]
        text = (
            f"Each annotator against the majority of the others: WA {percent(human['wa'])} %, UA "
            f"{percent(human['ua'])} % over {human['num_votes']} votes. The utterances are those "
            "whose annotators agreed on one of the classes, so this is an upper end."
        )
        found.append(ReportSection("Human ceiling", 2, text))
    return found


def calibration(results: Results) -> ReportSection:
    """Whether posteriors mean what they say."""
    rows = [
        [row_name(name, row), percent(row["calibration"]["error"]), percent(row["risk"]["area"])]
        for name, row in results["systems"].items()
    ]
    note = (
        "Expected calibration error over 15 bins of equal mass; area under the risk-coverage "
        "curve: the mean error of the most confident decisions over all coverages. All seeds' "
        "decisions together."
    )
    header = ["system", "calibration error %", "area under risk-coverage %"]
    return ReportSection("Calibration", 2, "", [header, *rows], note)


def word_errors(results: Results) -> list[ReportSection]:
    """WER by emotion, where a system recognises words."""
    systems = {n: row for n, row in results["systems"].items() if row["wer"] is not None}
    if not systems:
        return []
    table = [
        ["system", "all", *results["labels"]],
        *(
            [
                row_name(name, row),
                percent(row["wer"]),
                *(percent(row["wer_by_class"][label]) for label in results["labels"]),
            ]
            for name, row in systems.items()
        ),
    ]
    return [ReportSection("WER by emotion, %", 2, "", upright(table, "class"))]


def confusions(results: Results) -> list[ReportSection]:
    """Confusion matrices, summed over the seeds."""
    labels = results["labels"]
    num_seeds = len(results["run"]["seeds"])
    summed = f"; summed over {num_seeds} seeds." if num_seeds > 1 else "."
    found = [
        ReportSection(
            "Confusion matrices", 2, f"Utterances; rows are references, columns hypotheses{summed}"
        )
    ]
    for name, row in results["systems"].items():
        counts = summed_confusion(row)
        rows = [[label, *map(str, line)] for label, line in zip(labels, counts, strict=True)]
        found.append(ReportSection(row_name(name, row), 3, "", [["reference", *labels], *rows]))
    return found


def summed_confusion(row: Mapping[str, Any]) -> list[list[int]]:
    """Counts (C, C) of a system, summed over its seeds."""
    matrices = [seed["confusion"] for seed in row["seeds"].values()]
    return [
        [sum(cells) for cells in zip(*lines, strict=True)] for lines in zip(*matrices, strict=True)
    ]


def training(results: Results) -> list[ReportSection]:
    """What pre-training reached, and how long training took."""
    run = results["run"]
    found = []
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
        found.append(ReportSection("Pre-training, last epoch", 2, "", [header, *rows]))
    if published := run.get("published"):  # results of earlier versions have none
        rows = [
            [
                row_name(name, results["systems"][name]),
                *_named(source),
                " ".join(digest[:12] for digest in source["sha256"].values()),
            ]
            for name, source in published.items()
        ]
        header = ["system", "encoder", "licence", "SHA-256"]
        note = escape(" ".join(dict.fromkeys(source["note"] for source in published.values())))
        found.append(
            ReportSection("Published encoders", 2, "", [header, *rows], note, num_text_columns=4)
        )
    rows = [
        [
            row_name(name, results["systems"][name]),
            str(time["num_runs"]),
            _hours(time["wall_seconds"]),
        ]
        for name, time in run["finetune"].items()
        if time["num_runs"]
    ]
    if rows:
        note = "Optimiser steps of each run, summed; runs side by side slow each other down."
        table = [["system", "runs", "hours"], *rows]
        found.append(ReportSection("Fine-tuning time", 2, "", table, note))
    return found


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.2f}"


def environment(results: Results) -> ReportSection:
    """Versions of what the predictions were made with."""
    versions = results["run"]["versions"]
    rows = [[name, version] for name, version in versions.items()]
    return ReportSection("Environment", 2, "", [["package", "version"], *rows], num_text_columns=2)


def _named(published: Mapping[str, Any]) -> list[str]:
    """Which encoder, and its licence; records of earlier versions lack ``is_published``."""
    if published.get("is_published", True):
        return [f"{published['name']} at {published['revision'][:12]}", published["licence"]]
    return [f"other weights of the size of {published['name']}", NONE]
