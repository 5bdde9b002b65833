"""``report.html``: the report and every decision on one page that needs no network."""

import base64
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markupsafe import Markup

from ser.base.files import parsing
from ser.corpus.pipes import is_pipe
from ser.page.frame import audio_link, render
from ser.score.predictions.experiment import Predictions
from ser.score.report.document import ReportSection, row_name
from ser.score.report.report import figure_titles, sections
from ser.score.results import Results

Audio = Mapping[str, Mapping[str, str]]
"""By utterance ``{"link": address}``, or ``{"why": word}`` where the page cannot play it."""

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).disable("image")
_AUDIO = re.compile(r'<script type="application/json" id="audio">(.*)</script>')


def page(
    results: Results, predictions: Predictions, figures: Path, audio: Audio | None = None
) -> str:
    """The page.

    Args:
        results: ``results.json``.
        predictions: What was scored; of several seeds the first is shown.
        figures: Folder of the figures that ``results`` names.
        audio: The utterances' audio files; None where it is not known.
    """
    parts = sections(results)
    return render(
        "ser.score.report",
        ("scroll.js", "audio.js", "page.js"),
        title=parts[0].title,
        sections=[_render(section) for section in parts],
        figures=[
            _figure(title, (figures / name).read_bytes())
            for name, title in figure_titles(results).items()
        ],
        seed=results["run"]["seeds"][0],
        utterances=utterance_rows(predictions, results),
        audio=audio,
    )


def audio_of(wavs: Mapping[str, str], page: Path) -> Audio:
    """What the page plays; nothing is read, and no command is run.

    Args:
        wavs: ``wav.scp``.
        page: The page.
    """
    return {utt: _audio(source, page) for utt, source in wavs.items()}


def _audio(source: str, page: Path) -> dict[str, str]:
    if is_pipe(source):
        return {"why": "no audio: a command, not a file"}
    if os.path.isfile(source):  # noqa: PTH113  # Path.is_file raises where a folder is closed
        return {"link": audio_link(Path(source), page)}
    archive, _, offset = source.rpartition(":")
    if offset.isdecimal() and os.path.isfile(archive):  # noqa: PTH113  # likewise
        return {"why": "no audio: in an archive"}
    return {"why": "no audio: the file is not there, or may not be read"}


def stated_audio(html: str) -> Audio | None:
    """Where a page says that its audio lies: no other file has it."""
    found = _AUDIO.search(html)
    with parsing("report.html", "no place of the audio in it", "run stage 6 again"):
        stated: Audio | None = json.loads(found[1]) if found else None
    return stated


def _figure(title: str, png: bytes) -> dict[str, Any]:
    width = int.from_bytes(png[16:20])  # of the header of a PNG
    return {"title": title, "width": width, "data": base64.b64encode(png).decode()}


def _render(section: ReportSection) -> dict[str, Any]:
    return {
        "title": section.title,
        "level": section.level,
        "anchor": re.sub(r"\W+", "-", section.title.lower()).strip("-"),
        "text": Markup(_MARKDOWN.render(section.text)),  # noqa: S704  # markdown-it escapes
        "note": Markup(_MARKDOWN.render(section.note)),  # noqa: S704
        "table": section.table,
        "num_text_columns": section.num_text_columns,
    }


def utterance_rows(predictions: Predictions, results: Results) -> dict[str, Any]:
    """Every decision of the first seed, in lists that the page unpacks.

    Returns:
        ``labels``, ``systems``, ``utts`` (id, speaker, fold, class, words) and ``rows`` (utterance
        and system by number, class, posteriors in percent, transcript or None).
    """
    code = {label: i for i, label in enumerate(predictions.labels)}
    utts: list[Sequence[Any]] = []
    number: dict[str, int] = {}
    rows = []
    for s, seeds in enumerate(predictions.folds.values()):
        for fold, table in next(iter(seeds.values())).items():
            for p in table:
                if p.utt not in number:
                    number[p.utt] = len(utts)
                    utts.append((p.utt, p.spk, fold, code[p.ref], p.ref_text))
                percent = [round(100 * x) for x in p.posteriors]
                rows.append((number[p.utt], s, code[p.hyp], percent, p.ctc_text))
    return {
        "labels": predictions.labels,
        "systems": [row_name(s, results["systems"][s]) for s in predictions.folds],
        "utts": utts,
        "rows": rows,
    }
