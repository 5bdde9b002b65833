"""How figures are written in a table."""

from collections.abc import Mapping, Sequence
from typing import Any

from ser.score.report.document import NONE


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
