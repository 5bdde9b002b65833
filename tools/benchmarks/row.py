"""What one benchmark says, and how seconds and memory are measured."""

import re
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the table.

    Attributes:
        key: Its name.
        value: The figure; where there are cases the worst of theirs, or that of the target.
        target: What it should reach, as text (">= 1.4"), or "reported".
        targets: Those of single cases, which have one of their own.
        cases: The figure of each case, where there are several.
        raw: Seconds, threads, shapes, parameter counts and whatever else stands behind it.
    """

    key: str
    value: float
    target: str
    cases: Mapping[str, float] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict)
    targets: Mapping[str, str] = field(default_factory=dict)

    @property
    def to_reach(self) -> str:
        """All targets."""
        return ", ".join([self.target, *(f"{case} {text}" for case, text in self.targets.items())])

    @property
    def reached(self) -> str:
        """Whether the targets are reached, and which are not; a dash where there is none."""
        if self.target == "reported":
            return "-"
        missed = [] if _holds(self.value, self.target) else [self.key]
        missed += [
            case for case, text in self.targets.items() if not _holds(self.cases[case], text)
        ]
        return f"no: {', '.join(missed)}" if missed else "yes"

    def flat(self) -> dict[str, Any]:
        """``key``, ``key.case`` and ``key.<raw name>`` in one object."""
        values: dict[str, Any] = {self.key: round(self.value, 4)}
        values |= {f"{self.key}.{case}": round(value, 4) for case, value in self.cases.items()}
        return values | {f"{self.key}.{name}": value for name, value in self.raw.items()}


def _holds(value: float, target: str) -> bool:
    relation, number = target.split()
    return {">=": value >= float(number), "<=": value <= float(number)}[relation]


def resident(key: str) -> int:
    """Bytes of resident memory now (VmRSS) or at most so far, or since a reset (VmHWM)."""
    status = Path("/proc/self/status").read_text()
    (kilobytes,) = re.findall(rf"^{key}:\s+(\d+) kB$", status, re.MULTILINE)
    return int(kilobytes) * 1024


def alternate_seconds(rounds: int, *sides: Callable[[], object]) -> list[float]:
    """Median seconds of each side, measured in turns, after one round that does not count.

    In turns, so that whatever else the machine does falls on all sides.
    """
    times: list[list[float]] = [[] for _ in sides]
    for number in range(rounds + 1):
        for side, measured in zip(sides, times, strict=True):
            began = time.perf_counter()
            side()
            if number:
                measured.append(time.perf_counter() - began)
    return [statistics.median(measured) for measured in times]
