"""RESULTS.md: its sections, most important first; nothing is computed here."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ser.base.files import digest_json
from ser.score.audit.tables import audit_sections, baseline_table
from ser.score.report import details
from ser.score.report.document import (
    ReportSection,
    code,
    escape,
    markdown,
    p_value,
    row_name,
    with_interval,
)
from ser.score.report.main_table import (
    main_table,
    num_text_columns,
    partly,
    recognises_words,
    speaker_means_in_words,
)
from ser.score.results import Results
from ser.score.stats.intervals import LEVEL_TEXT


def report(results: Results, figures: str = "") -> str:
    """The report in Markdown; with its figures only where their folder, beside it, is named."""
    parts = sections(results)
    if figures:
        links = "\n\n".join(
            f"![{escape(title)}]({figures}/{quote(name)})"
            for name, title in figure_titles(results).items()
        )
        parts.append(ReportSection("Figures", 2, links))
    return markdown(parts)


def figure_titles(results: Results) -> dict[str, str]:
    """What each figure shows, by its file name."""
    confusions = {
        f"confusion_{name}.png": f"Confusion matrix, {row_name(name, row)}"
        for name, row in results["systems"].items()
    }
    return {
        name: confusions.get(name, Path(name).stem.replace("_", " ").capitalize())
        for name in results["figures"]
    }


def sections(results: Results) -> list[ReportSection]:
    """All sections, for Markdown and for the page."""
    dependent = bool(results["run"]["protocol"].get("speaker_dependent"))
    found = [
        _main(results),
        *_comparisons(results),
        details.classes(results),
        details.folds(results),
        *details.breakdowns(results),
        *details.people(results),
        details.calibration(results),
        *details.word_errors(results),
        *(audit_sections(results["audit"]) if results["audit"] else []),
        *details.confusions(results),
        *details.training(results),
        details.environment(results),
    ]
    if dependent:
        found = [replace(s, title=f"{s.title} (speaker-dependent)") for s in found]
    return found


def _main(results: Results) -> ReportSection:
    run = results["run"]
    versions = run["versions"]
    stack = ", ".join(
        f"{name} {versions[name]}" for name in ("python", "torch") if name in versions
    )
    said = (
        f"Written by stage 6 of {code(run['command'])}; git commit {code(run['git_commit'])}, "
        f"predictions of {run['finished']}, {escape(stack)}."
    )
    sentences = [f"- {escape(sentence)}" for sentence in results["sentences"]]
    note = "\n".join([*sentences, *_legend(results)])
    partial = partly(results)
    title = f"Partial results ({partial})" if partial else "Results"
    table = main_table(results)
    return ReportSection(title, 1, said, table, note, num_text_columns(table))


def _legend(results: Results) -> list[str]:
    run = results["run"]
    num_utts = max(row["num_utts"] for row in results["systems"].values())
    clusters = results["clusters"]
    shared = (
        " They share trained models, whose spread is therefore not in the interval."
        if clusters["share_models"]
        else ""
    )
    lines = [
        f"- WA (correct / all), UA (mean recall of the classes) and macro-F1: pooled over the "
        f"{num_utts} utterances of the folds {escape(' '.join(run['folds']))}, each predicted by a "
        f"model that never saw its fold; the mean over the seeds {escape(' '.join(run['seeds']))}.",
        f"- [{LEVEL_TEXT}]: delete-one jackknife over the {clusters['number']} {clusters['unit']} "
        f"with Student's t.{shared}",
    ]
    if recognises_words(results):
        lines.append(
            "- WER: greedy CTC transcripts of the auxiliary recogniser on the same utterances."
        )
    if said := speaker_means_in_words(results):
        lines.append(f"- {escape(said)}")
    rows = results["systems"].values()
    if any(row["wa_interval"] and not row["ua_interval"] for row in rows):
        lines.append(
            f"- UA has no interval: a class occurs in one of the {escape(clusters['unit'])} alone."
        )
    if results["missing"]:
        lines.append(f"- Not known of this corpus, and left out: {', '.join(results['missing'])}.")
    if alone := details.undivided(results):
        lines.append(f"- The same for all, and not broken down: {escape(', '.join(alone))}.")
    if results["digests"]:
        lines.append(
            f"- Rebuilt by `python -m ser.bin.verify`; SHA-256 over the {len(results['digests'])} "
            f"files that these figures come from: `{digest_json(results['digests'])}`."
        )
    if run["protocol"]:
        settings = ", ".join(code(f"{k}: {v}") for k, v in _stated(run["protocol"]).items())
        lines.append(f"- Protocol: {settings}.")
    if any("paper" in row for row in results["systems"].values()):
        lines.append("- Paper: Table 1 of Park & Kim (2021), as printed there.")
    if results["audit"]:
        rows = [f"{name} {wa} / {ua}" for name, wa, ua in baseline_table(results["audit"])[1:]]
        all_folds = list(results["audit"]["folds"])
        where = "" if run["folds"] == all_folds else f", over all {len(all_folds)} folds"
        lines.append(f"- Without listening (WA / UA %{where}): {'; '.join(rows)}.")
    return lines


def _ends(estimate: Mapping[str, float | None]) -> list[float] | None:
    low, high = estimate["low"], estimate["high"]
    return None if low is None or high is None else [low, high]


def _stated(protocol: Mapping[str, Any]) -> dict[str, Any]:
    """What a protocol sets: neither what is off, nor what only random draws or parts need."""
    drawn = "random" in (protocol.get("fold_unit"), str(protocol.get("validation")).split("_")[0])
    unused = [] if drawn else ["validation_share", "seed"]
    unused += [] if protocol.get("parts") else ["parts_table"]
    return {k: v for k, v in protocol.items() if v not in ([], {}, None, False) and k not in unused}


def _comparisons(results: Results) -> list[ReportSection]:
    if not results["comparisons"]:
        return []
    systems = results["systems"]
    header = ["systems", f"WA, points [{LEVEL_TEXT}]", f"UA, points [{LEVEL_TEXT}]"]
    header += ["McNemar p", "Holm", "permutation p", "Holm", "at best", "Holm"]
    rows = [
        [
            " - ".join(row_name(c[side], systems[c[side]]) for side in "ab"),
            *(with_interval(c[m]["value"], _ends(c[m])) for m in ("wa", "ua")),
            *(
                p_value(c[name])
                for name in (
                    "mcnemar_p",
                    "mcnemar_holm",
                    "permutation_p",
                    "permutation_holm",
                    "smallest_p",
                    "smallest_holm",
                )
            ),
        ]
        for c in results["comparisons"]
    ]
    note = (
        "McNemar: exact, on the pooled decisions, the largest p of any seed; it takes utterances "
        f"for independent. Permutation: sign flips of the differences of WA of the "
        f"{results['clusters']['unit']}, averaged over the seeds; at best: its smallest reachable "
        "p. Holm: over the pairs of this table."
    )
    return [ReportSection("Comparisons", 2, "", [header, *rows], note)]
