"""The main table of RESULTS.md and of the terminal: a row a system, a column a figure."""

from collections.abc import Callable, Mapping
from typing import Any

from ser.score.report.document import Rows, percent, plain_table, row_name, with_interval
from ser.score.results import Results
from ser.score.stats.intervals import LEVEL_TEXT

IN_THE_CODE = "in the code"  # the configuration's name, beside the paper's


def main_table(results: Results) -> Rows:
    """The form of the paper's Table 1, in percent; the paper's own columns where there are any."""
    systems: Mapping[str, Any] = results["systems"]
    renamed = any(row["paper_name"] for row in systems.values())
    columns: dict[str, Callable[[Mapping[str, Any]], str]] = {
        f"WA % [{LEVEL_TEXT}]": lambda s: with_interval(s["wa"], s["wa_interval"]),
        f"UA % [{LEVEL_TEXT}]": lambda s: with_interval(s["ua"], s["ua_interval"]),
        "macro-F1 %": lambda s: percent(s["macro_f1"]),
    }
    if recognises_words(results):
        columns["WER %"] = lambda s: percent(s["wer"])
    if any("paper" in row for row in systems.values()):
        columns["paper WA %"] = lambda s: percent(s.get("paper", {}).get("wa"))
        columns["paper UA %"] = lambda s: percent(s.get("paper", {}).get("ua"))
    return [
        ["system", *([IN_THE_CODE] * renamed), *columns],
        *(
            [row_name(name, row), *([name] * renamed), *(cell(row) for cell in columns.values())]
            for name, row in systems.items()
        ),
    ]


def recognises_words(results: Results) -> bool:
    """Whether any system has a CTC head, and so a WER."""
    return any(row["wer"] is not None for row in results["systems"].values())


def num_text_columns(table: Rows) -> int:
    """Of a main table, the columns on the left that hold no numbers."""
    return 1 + (IN_THE_CODE in table[0])


def terminal_table(results: Results) -> str:
    """The main table and the sentences under it, as plain text."""
    partial = partly(results)
    lines = [f"partial: {partial}"] if partial else []
    table = main_table(results)
    lines.append(plain_table(table, num_text_columns(table)))
    if results["run"]["protocol"].get("speaker_dependent"):
        lines.append("speaker-dependent: test speakers are heard in training")
    if said := speaker_means_in_words(results):
        lines.append(said)
    return "\n".join([*lines, *results["sentences"]])


def speaker_means_in_words(results: Results) -> str:
    """What systems know that take the mean of a speaker's turns off them; empty without such."""
    priors, systems = results["run"].get("speaker_prior", {}), results["systems"]
    if not priors:
        return ""
    names = ", ".join(row_name(name, systems[name]) for name in priors)
    turns = " and ".join(f"{prior:g}" for prior in sorted(set(priors.values())))
    others = "; the other systems use one turn alone" * (len(priors) < len(systems))
    return (
        f"{names}: the mean of a test speaker's turns is taken off each of them, without labels "
        f"(speaker_prior {turns}). Who speaks is known, and all test turns of the speaker are "
        f"used{others}."
    )


def partly(results: Results) -> str:
    """Which folds a report of some of them is of, ``folds 1, 2 of 5``; empty where it is of all."""
    run = results["run"]
    if "all_folds" not in run:
        return ""
    return f"folds {', '.join(run['folds'])} of {len(run['all_folds'])}"
