"""Kaldi's text tables: one ``id value`` a line, sorted in the C locale, every id once."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from ser.base.errors import Faults, SerError, first_few
from ser.base.files import read_text
from ser.base.log import logger
from ser.base.writing import write_text

Table = dict[str, str]
SPACES = " \t\r\f\v"  # Kaldi's; others, as the ideographic one, may stand in a value
BETWEEN = re.compile(f"[{SPACES}]+")


def c_order(identifier: str) -> bytes:
    """Sort key of the C locale (``LC_ALL=C sort``)."""
    return identifier.encode()


def read_table(path: Path) -> Table:
    """Reads a table; a line with an id alone has the empty value.

    Raises:
        SerError: The file is missing or cut, a line is empty, an id occurs twice, or the lines
            are not in the C locale's order.
    """
    table: Table = {}
    previous = b""
    *lines, rest = read_text(path).split("\n")
    if rest:
        raise SerError(
            f"{path}:{len(lines) + 1}: the last line has no line end; the file was cut, or written "
            "so; end the line, or rerun the stage that writes the file"
        )
    for number, line in enumerate(lines, start=1):
        identifier, _, value = line.partition(" ")
        if not identifier or "\r" in line:
            raise SerError(
                f"{path}:{number}: {'a carriage return' if identifier else 'no id'} in the line; "
                "expected 'id value' and Unix line ends; rewrite the file"
            )
        if "\t" in identifier:
            raise SerError(
                f"{path}:{number}: a tab after the id; expected 'id value' with a space between "
                "them; rewrite the file"
            )
        if identifier in table:
            raise SerError(f"{path}:{number}: the id {identifier} occurs twice; expected it once")
        if c_order(identifier) < previous:
            raise SerError(
                f"{path}:{number}: {identifier} is out of order; expected the order of the "
                "C locale; sort the file with LC_ALL=C sort"
            )
        previous = c_order(identifier)
        table[identifier] = value.strip()
    return table


def read_given_table(path: Path) -> Table:
    """Reads a table that somebody else wrote, into the C locale's order.

    As Kaldi and ESPnet do it, any number of spaces and tabs may stand around the id. Empty lines,
    CRLF, a byte-order mark and any order of the lines are taken too.

    Raises:
        SerError: The file is missing, or ids occur twice; all are listed.
    """
    found: dict[str, str] = {}
    lines_of: dict[str, list[int]] = defaultdict(list)
    text = read_text(path).removeprefix("\ufeff")
    if text and not text.endswith("\n"):
        logger.warning("%s: the last line has no line end; was the file cut?", path)
    for number, line in enumerate(text.split("\n"), start=1):
        identifier, *value = BETWEEN.split(line.strip(SPACES), maxsplit=1)
        if identifier:
            found[identifier] = "".join(value)
            lines_of[identifier].append(number)
    Faults(
        f"{path}: the id {name} stands in lines {' and '.join(map(str, numbers))}; expected it "
        "once; remove the lines that are too many"
        for name, numbers in lines_of.items()
        if len(numbers) > 1
    ).raise_any()
    return {name: found[name] for name in sorted(found, key=c_order)}


def write_table(path: Path, table: Mapping[str, str]) -> None:
    """Writes a table, sorted in the C locale."""
    lines = (f"{key} {table[key]}".rstrip() for key in sorted(table, key=c_order))
    write_text(path, "".join(f"{line}\n" for line in lines))


def invert(utt2spk: Mapping[str, str]) -> Table:
    """``utt2spk`` as ``spk2utt``."""
    spk2utt: dict[str, list[str]] = {}
    for utt in sorted(utt2spk, key=c_order):
        spk2utt.setdefault(utt2spk[utt], []).append(utt)
    return {spk: " ".join(utts) for spk, utts in spk2utt.items()}


def same_ids(
    path: Path,
    ids: Iterable[str],
    reference: Path,
    expected: Iterable[str],
    remedy: str = "rerun the stage that writes the folder",
) -> None:
    """Checks that two tables have the same ids.

    Args:
        path: A table.
        ids: Its ids.
        reference: Another one.
        expected: Its ids.
        remedy: What to do where they differ.

    Raises:
        SerError: An id is in one of the two alone; the first such id and the numbers are named.
    """
    have, want = set(ids), set(expected)
    for extra, here, there in ((have - want, path, reference), (want - have, reference, path)):
        if extra:
            ordered = sorted(extra, key=c_order)
            raise SerError(
                f"{here}: {first_few(ordered)} not in {there}; expected the same ids in both; "
                f"{remedy}"
            )
