"""What the parsers of corpora share: which files are audio, and what a file's name says."""

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

from ser.audio.containers import SOUND_ALONE
from ser.audio.reading import EXTENSIONS
from ser.base.errors import Faults, SerError
from ser.base.files import is_hidden, read_text, walk_visible
from ser.base.log import logger
from ser.corpus.parsers.roots import refuse_archives

GENDERS = {
    "f": "f",
    "female": "f",
    "w": "f",
    "woman": "f",
    "m": "m",
    "male": "m",
    "man": "m",
    "": "",
}


def is_audio_file(path: Path, root: Path) -> bool:
    """Whether a file of a corpus is audio by its name, and not hidden below the corpus."""
    return path.suffix.lower() in EXTENSIONS and not is_hidden(path, root)


def audio_files(root: Path, pattern: str, expected: str) -> list[Path]:
    """The audio files of a corpus, sorted.

    Args:
        root: The corpus.
        pattern: A glob below it.
        expected: What it should hold, for messages.

    Raises:
        SerError: There is no such folder, or it holds no audio of the pattern.
    """
    if not root.is_dir():
        raise SerError(f"{root}: no such folder; expected {expected}; set the path in db.sh")
    found = [path for path in sorted(root.glob(pattern)) if is_audio_file(path, root)]
    if not found:
        raise SerError(
            f"{root}: 0 audio files of {pattern}; expected {expected}; check the path in db.sh"
        )
    return found


def list_audio(root: Path) -> list[Path]:
    """The audio files of a folder and those below it, sorted, as full paths.

    Files for PyAV (``.m4a`` and others that hold sound alone) where there are no others. What is
    hidden is left out. What else is there is logged: other files, and links to folders, which are
    not followed.

    Raises:
        SerError: There is no audio, a folder cannot be read, or a name holds a line break.
    """
    audio, others = [], []
    try:
        for folder, folders, names in walk_visible(root.absolute(), _raise):
            files = [folder / name for name in names]
            audio += [path for path in files if path.suffix.lower() in EXTENSIONS]
            others += [path for path in files if path.suffix.lower() not in EXTENSIONS]
            others += [path for name in folders if (path := folder / name).is_symlink()]
    except OSError as error:
        raise SerError(f"{error.filename}: {error.strerror}; expected a folder to read") from error
    if not audio:  # else they are mostly what the audio was made from
        audio = [path for path in others if path.suffix.lower() in SOUND_ALONE]
        others = [path for path in others if path.suffix.lower() not in SOUND_ALONE]
    if not audio:
        refuse_archives(root, "audio files")
        raise SerError(f"{root}: 0 audio files in it; correct the path, or local/data.sh")
    broken = next((path for path in audio if len(str(path).splitlines()) > 1), None)
    if broken:
        raise SerError(f"{str(broken)!r}: a line break in the name; expected none; rename it")
    if others:
        kinds = sorted({"links to folders" if p.is_dir() else p.suffix or p.name for p in others})
        logger.warning(
            "%s: %s others are not taken (%s); a table can name them",
            *(root, len(others), ", ".join(kinds[:10])),
        )
    return sorted(audio)


def _raise(error: OSError) -> None:
    raise error


def named_files(
    root: Path, pattern: str, scheme: re.Pattern[str], expected: str
) -> list[tuple[Path, dict[str, str]]]:
    """The audio files of a corpus, each with the parts of its name.

    Raises:
        SerError: As for ``audio_files``, or names are not of the scheme, all of which are listed.
    """
    matches = {path: scheme.fullmatch(path.stem) for path in audio_files(root, pattern, expected)}
    Faults(
        f"{path}: not a name of this corpus; expected {expected}; remove or rename it"
        for path, match in matches.items()
        if not match
    ).raise_any()
    return [(path, match.groupdict(default="")) for path, match in matches.items() if match]


EXCEL_SEP = "sep="  # begins a line that Excel takes the delimiter from


def read_rows(
    path: Path,
    columns: Sequence[str],
    delimiter: str = ",",
    rename: Callable[[list[str]], list[str]] = list,
) -> list[tuple[int, dict[str, str]]]:
    """The rows of a CSV with a header, each with its line number and its cells by column.

    Args:
        path: The file.
        columns: Those that must be there.
        delimiter: What stands between the cells.
        rename: Gives the columns the names that they are known by here.

    Raises:
        SerError: The file is missing or no table, a column is missing or occurs twice, or rows
            have another number of cells than the header; all of these are listed.
    """
    text = read_text(path).removeprefix("\ufeff")
    # Between tabs a quotation mark is a character like others.
    rows = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        quoting=csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL,
        strict=True,
    )
    faults = Faults()
    found = []
    first = 1  # line of a row, which may go over several
    try:
        if text.startswith(EXCEL_SEP):
            next(rows)
        header = rename([name.strip() for name in next(rows, [])])
        missing = [name for name in columns if name not in header]
        if missing:
            other = next((c for c in ",;\t|" if len(header) == 1 and c in header[0]), None)
            remedy = f"put {delimiter!r} between the cells, not {other!r}" if other else ""
            if missing[0] == "speaker" and not other:
                remedy = (
                    "give each row its speaker or, where nobody knows, its recording or session"
                )
            raise SerError(
                f"{path}: no column '{missing[0]}' among {', '.join(header)}; expected "
                f"{', '.join(columns)}; {remedy or 'name the columns'}"
            )
        twice = [name for name in header if header.count(name) > 1]
        if twice:
            raise SerError(
                f"{path}: the column '{twice[0]}' occurs twice; expected each once; rename one"
            )
        first = rows.line_num + 1
        for row in rows:
            if not any(map(str.strip, row)):
                pass  # Excel writes delimiters to the end of what was ever filled
            elif len(row) != len(header):
                lost = f" in lines {first} to {rows.line_num}" if first < rows.line_num else ""
                faults.add(
                    f"{path}:{first}: {len(row)} cells{lost}; expected {len(header)}, as the "
                    f"header has; correct the row{', or its quotes' if lost else ''}"
                )
            else:
                found.append((first, dict(zip(header, map(str.strip, row), strict=True))))
            first = rows.line_num + 1
    except csv.Error as error:
        raise SerError(
            f"{path}:{first}: not a table ({error}); expected quotes in pairs around a cell, and "
            "doubled inside it; correct the quotes"
        ) from error
    faults.raise_any()
    return found


# Cyrillic and Greek letters, small as after casefold, and the Latin ones that they look like.
LIKE_LATIN = str.maketrans("авекмнорстухіјѕԁһԛԝαβεζηικμνορτυχ", "abekmhopctyxijsdhqwabezhikmvoptyx")


def one_word(text: str) -> str:
    """A value as one word, for an id: spaces and slashes become underscores.

    Letters with marks are composed (Unicode NFC): some systems write them so, others in parts.
    """
    return re.sub(r"[\s/\\]+", "_", unicodedata.normalize("NFC", text).strip("/\\ "))


def likeness(word: str) -> str:
    """What the names of one person have in common: ``anna`` and ``Anna``, ``1`` and ``01``.

    So have those that look the same: other forms of a letter (Unicode NFKC), characters that are
    not shown, Cyrillic and Greek letters like Latin ones.
    """
    if word.isdecimal():
        return str(int(word))
    shown = (c for c in unicodedata.normalize("NFKC", word) if unicodedata.category(c) != "Cf")
    return "".join(shown).casefold().translate(LIKE_LATIN)


def one_person(what: str, first: str, second: str) -> str:
    """The fault of two names with the same ``likeness``."""

    def shown(name: str) -> str:
        plain = unicodedata.normalize("NFC", name)
        seen = "".join(c for c in plain if unicodedata.category(c) != "Cf")
        return repr(name) if seen.translate(LIKE_LATIN) == plain else ascii(name)

    return (
        f"the {what} {shown(first)} and {shown(second)}; expected names that differ in more than "
        "case, spaces, marks, zeros in front and letters that look alike: else one person stands "
        "on both sides of a fold; rename one"
    )


def speaker_word(text: str) -> str:
    """A speaker as one word of characters that sort after the ``-`` between it and an utterance.

    Then the utterances of ``anna`` come before those of ``anna_b`` whatever they are called:
    Kaldi asks that the order of utterances is that of their speakers.
    """
    return re.sub(r"[\x00-\x2d]", "_", one_word(text))
