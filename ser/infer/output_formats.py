"""Results as a table for people, TSV, JSON, or JSON line by line."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any, Protocol, TextIO

from ser.base.names import printable
from ser.infer.model import Model
from ser.infer.result import Result

FORMATS = ("table", "tsv", "json", "jsonl")
ABSTAINED = "-"  # in place of a label, in tables


class Show(Protocol):
    """Prints one result."""

    def __call__(
        self, result: Result, utt: str | None = None, latency_ms: float | None = None
    ) -> None:
        """Prints it at once; ``json`` alone waits for the end of the list.

        Args:
            result: What is printed.
            utt: Its id in a ``wav.scp``, for JSON.
            latency_ms: How late it is.
        """
        ...


@contextlib.contextmanager
def printer(
    form: str,
    model: Model,
    out: TextIO,
    timed: bool,
    latency: bool = False,
    path_width: int = 0,
) -> Iterator[Show]:
    """Yields what prints results.

    Args:
        form: One of ``FORMATS``.
        model: Whose results.
        out: Where to.
        timed: Whether start and end are shown in tables.
        latency: Whether the latency is.
        path_width: Letters of the longest path, to align the table.
    """
    if form == "json":
        found: list[dict[str, Any]] = []
        try:
            yield lambda result, utt=None, latency_ms=None: found.append(
                as_json(result, timed, utt, latency_ms)
            )
        finally:  # after Ctrl-C too
            print(_json_text(found, out, indent=2), file=out)
        return
    columns = ["path", *(["start", "end"] if timed else []), "label"]
    columns += [f"post_{name}" for name in model.labels]
    columns += ["words"] * (model.tokenizer is not None) + ["latency_ms"] * latency
    widths = [max(len(column), 8) for column in columns]
    widths[0] = max(path_width, len(columns[0]))
    if form != "jsonl":
        print(_line([printable(c, out.encoding) for c in columns], form, widths), file=out)

    def show(result: Result, utt: str | None = None, latency_ms: float | None = None) -> None:
        if form == "jsonl":
            text = _json_text(as_json(result, timed, utt, latency_ms), out)
        else:
            digits = 6 if form == "tsv" else 3
            cells = [result.path or ABSTAINED]
            cells += [f"{result.start:.2f}", f"{result.end:.2f}"] if timed else []
            cells += [result.label or ABSTAINED]
            cells += [f"{value:.{digits}f}" for value in result.posteriors.values()]
            cells += [] if result.words is None else [result.words]
            cells += [] if latency_ms is None else [f"{latency_ms:.1f}"]
            text = _line([printable(cell, out.encoding) for cell in cells], form, widths)
        print(text, file=out, flush=True)

    yield show


def _line(cells: list[str], form: str, widths: list[int]) -> str:
    if form == "tsv":
        return "\t".join(cells)
    return "  ".join(map(str.ljust, cells, widths)).rstrip()


def _json_text(value: Any, out: TextIO, indent: int | None = None) -> str:
    """JSON that the stream can write; with all escaped where it could not write some of it."""
    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
    line = text.replace("\n", "")  # which are those of the indentation
    return text if printable(line, out.encoding) == line else json.dumps(value, indent=indent)


def as_json(
    result: Result, timed: bool, utt: str | None, latency_ms: float | None
) -> dict[str, Any]:
    """``{"path", "label", "posteriors": {label: p}, "words", "flag"}``.

    In front of them the ``id`` of a ``wav.scp``; times and latency where they are asked.
    """
    value: dict[str, Any] = {} if utt is None else {"id": utt}
    value |= {"path": result.path, "label": result.label}
    if timed:
        value |= {"start": round(result.start, 4), "end": round(result.end, 4)}
    value |= {"posteriors": dict(result.posteriors), "words": result.words, "flag": result.flag}
    if latency_ms is not None:
        value["latency_ms"] = round(latency_ms, 1)
    return value
