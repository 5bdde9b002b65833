"""What a cell of a table means, and how rows with faults are told."""

import math
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from ser.base.errors import SerError, told

NO_VALUE = frozenset(("nan", "NaN", "NaT", "<NA>"))  # as pandas writes what is missing
WHOLE = re.compile(r"(-?\d+)\.0+")
OF_WINDOWS = re.compile(r"[A-Za-z]:[\\/]")


class RowError(Exception):
    """What is wrong with a row, and what is expected instead, which is alike for faults of a kind.

    Attributes:
        wrong: Of this row.
        remedy: Of all such rows.
    """

    def __init__(self, wrong: str, remedy: str) -> None:
        super().__init__(wrong)
        self.wrong, self.remedy = wrong, remedy


def raise_rows(path: Path, faults: Iterable[tuple[int, RowError]]) -> None:
    """Tells all faults of the first kind, each with its line, and how many there are of others.

    Raises:
        SerError: There are faults.
    """
    listed = list(faults)
    if not listed:
        return
    (line, first), *_ = listed
    same = [(n, fault.wrong) for n, fault in listed if fault.remedy == first.remedy]
    said = told([f"{path}:{line}: {first.wrong}", *(f"line {n}: {w}" for n, w in same[1:])])
    others = len(listed) - len(same)
    more = f" ({others} rows have other faults)" if others else ""
    raise SerError(f"{said}; {first.remedy}{more}")


def without_point(text: str) -> str:
    """A whole number as such: pandas writes ``1.0`` where a column lacks a value elsewhere."""
    match = WHOLE.fullmatch(text)
    return match[1] if match else text


def seconds(column: str, text: str) -> float | None:
    """Seconds of ``1.5``, ``0:01.5`` or pandas' ``0 days 00:00:01.500000``; None of no time.

    Raises:
        RowError: It is no time.
    """
    if text.lower() in ("", "nat", "nan", "none"):
        return None
    days, _, clock = text.rpartition(" days ")
    try:
        parts = [float(part) for part in reversed(clock.split(":"))]
        total = 86400 * float(days or 0) + sum(
            part * 60.0**power for power, part in enumerate(parts)
        )
    except ValueError:
        total = math.nan
    if not math.isfinite(total) or total < 0 or clock.count(":") > 2:
        raise RowError(
            f"the {column} '{text}'",
            "expected seconds, as 1.5, or a time, as 0:00:01.5; mend it",
        )
    return total


def slashed(text: str) -> Path:
    """A path whichever way its slashes lean."""
    return Path(re.sub("^/+", "/", text.replace("\\", "/")))


def audio_file(folder: Path, text: str) -> Path:
    """The file, whichever way its path's slashes lean and its letters with marks are written.

    Raises:
        RowError: There is no such file.
    """
    for written in (text, str(slashed(text))):
        for name in (written, *(unicodedata.normalize(form, written) for form in ("NFC", "NFD"))):
            wav = folder / name  # an absolute path stays as it is
            if wav.is_file():
                return wav.absolute()
    wrong = f"{text}, a path of Windows" if OF_WINDOWS.match(text) else folder / text
    raise RowError(
        f"{wrong}: no such file",
        "expected audio; paths are relative to the table; mend the path",
    )
