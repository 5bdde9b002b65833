"""Any corpus that is listed in a table: CSV or TSV with a row for each utterance.

Columns: ``path``, ``label`` and ``speaker``; as far as there are any ``text``, ``session``,
``gender`` and ``id``. Each further column becomes a table of the data directory (``scene`` ->
``utt2scene``).
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ser.base.errors import SerError
from ser.base.files import read_text
from ser.corpus.emotion import EmotionUtterance
from ser.text.normalise import normalise_transcript

REQUIRED = ("path", "label", "speaker")
OPTIONAL = ("text", "session", "gender", "id")
DELIMITERS = {".csv": ",", ".tsv": "\t"}
GENDERS = {"f": "f", "female": "f", "w": "f", "woman": "f", "m": "m", "male": "m", "man": "m"}
NAME = re.compile(r"[A-Za-z]\w*")


def read_table_corpus(path: Path) -> list[EmotionUtterance]:
    """The utterances of a table; paths are relative to its folder unless they are absolute.

    A speaker without a session is a session of its own; a table without texts is a corpus without
    words.

    Raises:
        SerError: The file is no CSV or TSV, a column is missing, double or unnamed, a row has
            another number of cells or lacks a value, an audio file does not exist, or a gender is
            none.
    """
    if path.suffix.lower() not in DELIMITERS:
        raise SerError(f"{path}: expected a .csv or .tsv file; rename or convert it")
    text = read_text(path).removeprefix("\ufeff")
    rows = csv.reader(
        io.StringIO(text, newline=""), delimiter=DELIMITERS[path.suffix.lower()], strict=True
    )
    try:
        header = [name.strip() for name in next(rows, [])]
        _check_header(path, header)
        return [
            _utterance(path, rows.line_num, dict(zip(header, row, strict=True)))
            for row in _rows(path, rows, header)
        ]
    except csv.Error as error:
        raise SerError(f"{path}:{rows.line_num}: not a table ({error}); mend the row") from error


def _check_header(path: Path, header: list[str]) -> None:
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise SerError(
            f"{path}: no column '{missing[0]}' among {', '.join(header)}; expected "
            f"{', '.join(REQUIRED)} and as far as known {', '.join(OPTIONAL)}; name the columns"
        )
    wrong = [name for name in header if not NAME.fullmatch(name) or header.count(name) > 1]
    if wrong:
        raise SerError(
            f"{path}: the column '{wrong[0]}' is no word or stands twice; expected names of "
            "letters, digits and underscores, each once; rename it"
        )


def _rows(path: Path, rows: Any, header: list[str]) -> Iterator[list[str]]:
    for row in rows:
        if not row:
            continue
        if len(row) != len(header):
            raise SerError(
                f"{path}:{rows.line_num}: {len(row)} cells; expected {len(header)}, as the header "
                "has; mend the row"
            )
        yield [cell.strip() for cell in row]


def _utterance(path: Path, line: int, row: Mapping[str, str]) -> EmotionUtterance:
    empty = [name for name in REQUIRED if not row[name]]
    if empty:
        raise SerError(f"{path}:{line}: no {empty[0]}; expected a value; fill it in")
    wav = _audio(path, line, row["path"])
    gender = row.get("gender", "").lower()
    if gender and gender not in GENDERS:
        raise SerError(
            f"{path}:{line}: the gender '{row['gender']}'; expected f or m, or nothing; mend it"
        )
    speaker = _word(row["speaker"])
    name = row.get("id") or str(Path(row["path"].replace("\\", "/")).with_suffix(""))
    return EmotionUtterance(
        utt=f"{speaker}-{_word(name)}",
        utt_orig=_word(name),
        spk=speaker,
        gender=GENDERS.get(gender, ""),
        session=_word(row.get("session") or speaker),
        label=row["label"],
        wav=wav,
        transcript=normalise_transcript(row.get("text", "")),
        attributes={
            f"utt2{name}": value
            for name, value in row.items()
            if name not in (*REQUIRED, *OPTIONAL)
        },
    )


def _audio(table: Path, line: int, text: str) -> Path:
    """The file, whichever way its path's slashes lean."""
    for written in (text, text.replace("\\", "/")):
        wav = table.parent / written  # an absolute path stays as it is
        if wav.is_file():
            return wav.absolute()
    raise SerError(
        f"{table}:{line}: {table.parent / text}: no such file; expected audio; paths are relative "
        "to the table; mend the path"
    )


def _word(text: str) -> str:
    """A value as one word, for an id: blanks and slashes become underscores."""
    return re.sub(r"[\s/\\]+", "_", text.strip("/\\ "))
