"""What RESULTS.md and report.html are made of, and how Markdown and a terminal show it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NONE = "—"

Rows = list[list[str]]
"""Rows of cells, the header first; cells are plain text."""

# What Markdown takes for markup within a line; what stands in brackets stays where no link follows.
MARKUP = re.compile(
    r"(?P<kept>\[[-\w., %]+\](?![(\[:]))"
    r"|[\\`*|$~\[\]]|<(?=[A-Za-z/!?])|&(?=#?\w+;)|(?<!\w)_|_(?!\w)"
)


@dataclass(frozen=True)
class ReportSection:
    """A heading with what stands under it.

    Attributes:
        title: Heading, plain text; empty for none.
        level: Of the heading: 1 to 3.
        text: Markdown: paragraphs and lists; names in it are escaped.
        table: Under the text, or None.
        note: Under the table.
        num_text_columns: Columns of the table that are words, the others numbers.
    """

    title: str
    level: int
    text: str = ""
    table: Rows | None = None
    note: str = ""
    num_text_columns: int = 1


def escape(text: str) -> str:
    """Plain text as Markdown that shows it: a class may be called ``![x](http://y)``."""
    return MARKUP.sub(lambda m: m[0] if m["kept"] else f"\\{m[0]}", text)


def code(text: str) -> str:
    """A code span, whatever the text holds."""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def upright(table: Rows, corner: str) -> Rows:
    """The table with its shorter side across, for phones and terminals.

    Args:
        table: Rows of cells.
        corner: What stands over the first column where the table is turned.
    """
    if len(table[0]) <= len(table):
        return table
    turned = [list(column) for column in zip(*table, strict=True)]
    return [[corner, *turned[0][1:]], *turned[1:]]


def markdown(sections: Sequence[ReportSection]) -> str:
    """Sections as a Markdown document."""
    blocks = []
    for section in sections:
        if section.title:
            blocks.append(f"{'#' * section.level} {escape(section.title)}")
        if section.text:
            blocks.append(section.text)
        if section.table:
            blocks.append(markdown_table(section.table, section.num_text_columns))
        if section.note:
            blocks.append(section.note)
    return "\n\n".join(blocks) + "\n"


def markdown_table(table: Rows, num_text_columns: int = 1) -> str:
    """A table in Markdown, its columns aligned for those who read the source."""
    escaped = [[escape(cell) for cell in row] for row in table]
    header, *rows = _aligned(escaped, num_text_columns)
    rule = [
        "-" * len(cell) if i < num_text_columns else "-" * (len(cell) - 1) + ":"
        for i, cell in enumerate(header)
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows))


def plain_table(table: Rows, num_text_columns: int = 1) -> str:
    """A table as aligned plain text."""
    lines = ["  ".join(row).rstrip() for row in _aligned(table, num_text_columns)]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def _aligned(table: Rows, num_text_columns: int) -> Rows:
    """Cells padded to their column's width: text to the left, numbers to the right."""
    widths = [max(3, *map(len, column)) for column in zip(*table, strict=True)]
    return [
        [
            cell.ljust(width) if i < num_text_columns else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        for row in table
    ]


def row_name(name: str, row: Mapping[str, Any]) -> str:
    """What a system is called: as in the paper, or else as its configuration."""
    return str(row["paper_name"] or name)


def percent(fraction: float | None) -> str:
    """``0.706`` as ``70.6``, never ``-0.0``."""
    return NONE if fraction is None else f"{round(100 * fraction, 1) + 0.0:.1f}"


def p_value(p: float) -> str:
    """``0.0312``, or ``<0.0001``."""
    return "<0.0001" if p < 0.0001 else f"{p:.4f}"


def with_interval(value: float, ends: Sequence[float] | None) -> str:
    """``70.6 [65.1, 76.0]``."""
    return percent(value) + (f" [{percent(ends[0])}, {percent(ends[1])}]" if ends else "")


def mean_sd(mean: float, sd: float | None) -> str:
    """``70.6 ± 2.1``."""
    return f"{percent(mean)} ± {percent(sd)}"
