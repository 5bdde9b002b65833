"""What RESULTS.md and report.html are made of, and how Markdown and a terminal show it."""

from collections.abc import Sequence
from dataclasses import dataclass

NONE = "—"

Table = list[list[str]]
"""Rows of cells, the header first."""


@dataclass(frozen=True)
class Section:
    """A heading with what stands under it.

    Attributes:
        title: Heading; empty for none.
        level: Of the heading: 1 to 3.
        text: Markdown: paragraphs and lists.
        table: Under the text, or None.
        note: Under the table.
        num_text_columns: Columns of the table that are words, the others numbers.
    """

    title: str
    level: int
    text: str = ""
    table: Table | None = None
    note: str = ""
    num_text_columns: int = 1


def markdown(sections: Sequence[Section]) -> str:
    """Sections as a Markdown document."""
    blocks = []
    for section in sections:
        if section.title:
            blocks.append(f"{'#' * section.level} {section.title}")
        if section.text:
            blocks.append(section.text)
        if section.table:
            blocks.append(markdown_table(section.table, section.num_text_columns))
        if section.note:
            blocks.append(section.note)
    return "\n\n".join(blocks) + "\n"


def markdown_table(table: Table, num_text_columns: int = 1) -> str:
    """A table in Markdown, its columns aligned for those who read the source."""
    header, *rows = _aligned(table, num_text_columns)
    rule = [
        "-" * len(cell) if i < num_text_columns else "-" * (len(cell) - 1) + ":"
        for i, cell in enumerate(header)
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows))


def plain_table(table: Table, num_text_columns: int = 1) -> str:
    """A table as aligned plain text."""
    lines = ["  ".join(row).rstrip() for row in _aligned(table, num_text_columns)]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def _aligned(table: Table, num_text_columns: int) -> Table:
    """Cells padded to their column's width: text to the left, numbers to the right."""
    widths = [max(3, *map(len, column)) for column in zip(*table, strict=True)]
    return [
        [
            cell.ljust(width) if i < num_text_columns else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        for row in table
    ]
