"""What the names of a folder's audio files say, as rows of a table: by a pattern of one's own."""

import re
from collections.abc import Iterator
from pathlib import Path

from ser.base.errors import SerError
from ser.base.log import logger
from ser.corpus.parsers.parsing import list_audio
from ser.corpus.parsers.table import MEANT

SHOWN = 10  # names that do not match
NEEDED = ("speaker", "label")  # the file itself is the third column that a table needs


def read_pattern(text: str) -> re.Pattern[str]:
    """A regular expression with named parts, each the column of a table.

    Raises:
        SerError: It is no regular expression, or its parts lack the speaker or the label, or are
            the file's own.
    """
    try:
        pattern = re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise SerError(
            f"--pattern '{text}': no regular expression ({error}); expected Python's, as "
            r"(?P<speaker>\d\d)_(?P<label>[a-z]+)_.*; correct it"
        ) from error
    columns = {name: MEANT.get(name.casefold(), name) for name in pattern.groupindex}
    missing = [name for name in NEEDED if name not in columns.values()]
    if missing:
        raise SerError(
            f"--pattern '{text}': no part is named {' or '.join(missing)} (named are: "
            f"{', '.join(columns) or 'none'}); expected (?P<speaker>...) and (?P<label>...); name "
            "them"
        )
    own = [name for name, column in columns.items() if column == "path"]
    if own:
        raise SerError(
            f"--pattern '{text}': the part '{own[0]}' means the file itself; expected another "
            "name; rename it"
        )
    return pattern


def table_of_names(root: Path, pattern: re.Pattern[str], leave_out: bool) -> Iterator[str]:
    """The lines of a table: the header, and a row for each file whose name matches.

    The pattern must match the whole of a file's name without its extension, or, where a slash
    stands in it, of its path below the folder.

    Args:
        root: The folder.
        pattern: As ``read_pattern`` gives it.
        leave_out: Whether files of other names are left out with a warning instead of refused.

    Raises:
        SerError: There is no audio, names do not match, or one cannot stand in a table.
    """
    paths = list_audio(root)
    names = {path: path.relative_to(root.absolute()).with_suffix("").as_posix() for path in paths}
    if "/" not in pattern.pattern:
        names = {path: name.rpartition("/")[2] for path, name in names.items()}
    matches = {path: pattern.fullmatch(name) for path, name in names.items()}
    others = [path for path, match in matches.items() if match is None]
    if others:
        _tell_others(root, others, len(paths), pattern.pattern, leave_out)
    yield "\t".join(["path", *pattern.groupindex])
    for path, match in matches.items():
        if match:
            yield "\t".join(map(_cell, [str(path), *(v or "" for v in match.groupdict().values())]))


def _tell_others(root: Path, others: list[Path], total: int, pattern: str, leave_out: bool) -> None:
    names = [str(path.relative_to(root.absolute())) for path in others[:SHOWN]]
    more = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
    said = (
        f"{root}: {len(others)} of {total} names are not of the pattern '{pattern}': "
        f"{', '.join(names)}{more}"
    )
    if not leave_out or len(others) == total:
        raise SerError(
            f"{said}; expected all to match, without their extensions; correct the pattern "
            "(local/data.sh), or leave these files out (--leave-out-others)"
        )
    logger.warning("%s; they are left out", said)


def _cell(text: str) -> str:
    """A value as a cell of a table with tabs between them."""
    try:
        text.encode()
    except UnicodeEncodeError as error:  # a name of bytes that are no UTF-8
        raise SerError(f"{text!r}: not UTF-8; expected a name in UTF-8; rename the file") from error
    if "\t" in text:
        raise SerError(f"{text!r}: a tab in the name; expected none; rename the file")
    return text
