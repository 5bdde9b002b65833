"""``report.html``: the report and every decision on one page that needs no network."""

import base64
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from ser.score.predictions import Predictions
from ser.score.report import sections
from ser.score.results import Results
from ser.score.section import Section

_MARKDOWN = MarkdownIt("commonmark", {"html": False})  # what is said in a corpus is no markup


def page(results: Results, predictions: Predictions, figures: Path) -> str:
    """The page.

    Args:
        results: ``results.json``.
        predictions: What was scored; of several seeds the first is shown.
        figures: Folder of the figures that ``results`` names.
    """
    environment = Environment(
        loader=PackageLoader("ser.score", ""), autoescape=True, undefined=StrictUndefined
    )
    parts = sections(results)
    return environment.get_template("page.html").render(
        title=parts[0].title,
        sections=[_render(section) for section in parts],
        figures=[
            {
                "alt": Path(name).stem.replace("_", " "),
                "data": base64.b64encode((figures / name).read_bytes()).decode(),
            }
            for name in results["figures"]
        ],
        seed=results["run"]["seeds"][0],
        utterances=utterance_rows(predictions),
    )


def _render(section: Section) -> dict[str, Any]:
    return {
        "title": section.title,
        "level": section.level,
        "anchor": re.sub(r"\W+", "-", section.title.lower()).strip("-"),
        "heading": Markup(_MARKDOWN.renderInline(section.title)),  # noqa: S704  # markdown-it escapes
        "text": Markup(_MARKDOWN.render(section.text)),  # noqa: S704
        "note": Markup(_MARKDOWN.render(section.note)),  # noqa: S704
        "table": section.table and [[_cell(cell) for cell in row] for row in section.table],
        "num_text_columns": section.num_text_columns,
    }


def _cell(text: str) -> Markup:
    """A cell may hold code in backticks."""
    return Markup(_MARKDOWN.renderInline(text))  # noqa: S704


def utterance_rows(predictions: Predictions) -> dict[str, Any]:
    """Every decision of the first seed, in lists that the page unpacks.

    Returns:
        ``labels``, ``systems``, ``utts`` (id, speaker, fold, class, words) and ``rows`` (utterance
        and system by number, class, posteriors in percent, words heard or None).
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
        "systems": list(predictions.folds),
        "utts": utts,
        "rows": rows,
    }
