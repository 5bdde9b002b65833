"""What the parsers of corpora share: which files are audio, and what a file's name says."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ser.base.errors import SerError
from ser.base.files import read_text
from ser.kaldi.audio import EXTENSIONS


def audio_files(root: Path, pattern: str, expected: str) -> list[Path]:
    """The audio files of a corpus, sorted; AppleDouble files (``._name``) are none.

    Args:
        root: The corpus.
        pattern: A glob below it.
        expected: What it should hold, for messages.

    Raises:
        SerError: There is no such folder, or it holds no audio of the pattern.
    """
    if not root.is_dir():
        raise SerError(f"{root}: no such folder; expected {expected}; set the path in db.sh")
    found = [
        path
        for path in sorted(root.glob(pattern))
        if path.suffix.lower() in EXTENSIONS and not path.name.startswith("._")
    ]
    if not found:
        raise SerError(
            f"{root}: 0 audio files of {pattern}; expected {expected}; check the path in db.sh"
        )
    return found


def match_name(scheme: re.Pattern[str], path: Path, expected: str) -> dict[str, str]:
    """The named parts of a file's name without its extension.

    Raises:
        SerError: The name is not of the scheme.
    """
    match = scheme.fullmatch(path.stem)
    if match is None:
        raise SerError(
            f"{path}: not a name of this corpus; expected {expected}; remove or rename it"
        )
    return {name: value or "" for name, value in match.groupdict().items()}


def read_rows(
    path: Path, columns: Sequence[str], delimiter: str = ","
) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV with a header, each with its line number and its cells by column.

    Raises:
        SerError: The file is missing or no table, a column is missing or stands twice, or a row
            has another number of cells than the header.
    """
    text = read_text(path).removeprefix("\ufeff")
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [name.strip() for name in next(rows, [])]
        missing = [name for name in columns if name not in header]
        if missing:
            raise SerError(
                f"{path}: no column '{missing[0]}' among {', '.join(header)}; expected "
                f"{', '.join(columns)}; name the columns"
            )
        twice = [name for name in header if header.count(name) > 1]
        if twice:
            raise SerError(
                f"{path}: the column '{twice[0]}' stands twice; expected each once; rename one"
            )
        for row in rows:
            if row and len(row) != len(header):
                raise SerError(
                    f"{path}:{rows.line_num}: {len(row)} cells; expected {len(header)}, as the "
                    "header has; mend the row"
                )
            if row:
                yield rows.line_num, dict(zip(header, map(str.strip, row), strict=True))
    except csv.Error as error:
        raise SerError(f"{path}:{rows.line_num}: not a table ({error}); mend the row") from error


def one_word(text: str) -> str:
    """A value as one word, for an id: blanks and slashes become underscores."""
    return re.sub(r"[\s/\\]+", "_", text.strip("/\\ "))
