"""What a cell of a table means. Whoever reads the row puts it in front of the errors."""

import re
import unicodedata
from pathlib import Path

from ser.base.errors import SerError

MAX_SECONDS = 1e6  # of a place in a file: eleven days
NO_VALUE = frozenset(("nan", "NaN", "NaT", "<NA>"))  # as pandas writes what is missing
WHOLE = re.compile(r"(-?\d+)\.0+")
# Days, hours, minutes, seconds.
TIME = re.compile(
    r"(?:(\d+) days )?(?:(?:(\d+):)?(\d+):)?((?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)", re.ASCII | re.I
)
OF_WINDOWS = re.compile(r"[A-Za-z]:[\\/]")


def without_point(text: str) -> str:
    """A whole number as such: pandas writes ``1.0`` where a column lacks a value elsewhere."""
    match = WHOLE.fullmatch(text)
    return match[1] if match else text


def seconds(column: str, text: str) -> float | None:
    """Seconds of ``1.5``, ``0:01.5`` or pandas' ``0 days 00:00:01.500000``; None of no time.

    Raises:
        SerError: It is no time.
    """
    if text.lower() in ("", "nat", "nan", "none"):
        return None
    match = TIME.fullmatch(text)
    units = (86400, 3600, 60, 1)
    total = sum(float(match[i + 1] or 0) * unit for i, unit in enumerate(units)) if match else None
    if total is None or total > MAX_SECONDS:
        raise SerError(
            f"the {column} '{text}'; expected seconds, as 1.5, or a time, as 0:00:01.5, of at most "
            f"{MAX_SECONDS:.0f} s; correct it"
        )
    return total


def slashed(text: str) -> Path:
    """A path whichever way its slashes lean."""
    return Path(re.sub("^/+", "/", text.replace("\\", "/")))


def audio_file(folder: Path, text: str) -> Path:
    """The file, whichever way its path's slashes lean and its letters with marks are written.

    Raises:
        SerError: There is no such file.
    """
    for written in (text, str(slashed(text))):
        for name in (written, *(unicodedata.normalize(form, written) for form in ("NFC", "NFD"))):
            wav = folder / name  # an absolute path stays as it is
            if wav.is_file():
                return wav.absolute()
    wrong = f"{text}, a path of Windows" if OF_WINDOWS.match(text) else folder / text
    raise SerError(
        f"{wrong}: no such file; expected audio; paths are relative to the table; correct the path"
    )
