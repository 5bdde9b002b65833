"""Any corpus that is listed in a table: CSV or TSV with a row for each utterance.

Columns: ``path``, ``label`` and ``speaker``; as far as there are any ``text``, ``session``,
``gender`` and ``id``. Each further column becomes a table of the data directory (``scene`` ->
``utt2scene``).
"""

import os
import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path

from ser.base.errors import SerError
from ser.corpus.emotion import EmotionUtterance
from ser.corpus.fold_lists import is_fold_name
from ser.corpus.layout import GENDERS, one_word, read_rows, speaker_word
from ser.text.normalise import normalise_transcript

REQUIRED = ("path", "label", "speaker")
OPTIONAL = ("text", "session", "gender", "id")
DELIMITERS = {".csv": ",", ".tsv": "\t"}
NAME = re.compile(r"[A-Za-z]\w*")


def read_table_corpus(path: Path) -> list[EmotionUtterance]:
    """The utterances of a table; paths are relative to its folder unless they are absolute.

    A speaker without a session is a session of its own; a table without texts is a corpus without
    words. An utterance without an id is called by its path; of absolute ones the folder that they
    all lie in is left out, so that the same corpus in another place has the same ids. Those who
    mean to add rows from other folders had better write ids.

    Raises:
        SerError: The file is no CSV or TSV, a column is missing, double or unnamed, a row has
            another number of cells or lacks a value, an audio file does not exist, a gender is
            none, two speakers differ in case, blanks and marks alone, or two utterances are
            one as words.
    """
    if not path.exists():
        raise SerError(
            f"{path}: no such file or folder; expected a .csv or .tsv file, or a Kaldi data "
            "directory; mend the path"
        )
    if path.suffix.lower() not in DELIMITERS:
        raise SerError(f"{path}: expected a .csv or .tsv file; rename or convert it")
    delimiter = DELIMITERS[path.suffix.lower()]
    utterances = []
    written: dict[str, str] = {}
    line_of: dict[str, int] = {}
    rows = list(read_rows(path, REQUIRED, delimiter))
    shared = _shared_folder(row["path"] for _, row in rows)
    for line, row in rows:
        utterance = _utterance(path, line, row, shared)
        speaker = unicodedata.normalize("NFC", row["speaker"])
        first = written.setdefault(utterance.spk.casefold(), speaker)
        if first != speaker:
            raise SerError(
                f"{path}:{line}: the speakers '{first}' and '{speaker}'; expected names that "
                "differ in more than case, blanks and marks: else one person stands on both sides "
                "of a fold; rename one"
            )
        if line_of.setdefault(utterance.utt, line) != line:
            raise SerError(
                f"{path}:{line}: the id {utterance.utt} is also that of line "
                f"{line_of[utterance.utt]}; expected each once; remove one, or tell them apart in "
                "a column 'id'"
            )
        utterances.append(utterance)
    if not utterances:
        raise SerError(f"{path}: 0 rows below the header; expected one for each file; write them")
    return utterances


def _shared_folder(paths: Iterable[str]) -> Path:
    """The deepest folder that all absolute paths have in common."""
    folders = [path.parent for path in map(_slashed, paths) if path.is_absolute()]
    return Path(os.path.commonpath(folders)) if folders else Path("/")


def _slashed(text: str) -> Path:
    return Path(re.sub("^/+", "/", text.replace("\\", "/")))


def _utterance(path: Path, line: int, row: Mapping[str, str], shared: Path) -> EmotionUtterance:
    wrong = [name for name in row if not NAME.fullmatch(name)]
    if wrong:
        raise SerError(
            f"{path}: the column '{wrong[0]}' is no word; expected letters, digits and "
            "underscores; rename it"
        )
    empty = [name for name in REQUIRED if not row[name]]
    if empty:
        raise SerError(f"{path}:{line}: no {empty[0]}; expected a value; fill it in")
    wav = _audio(path, line, row["path"])
    gender = row.get("gender", "").lower()
    if gender not in GENDERS:
        raise SerError(
            f"{path}:{line}: the gender '{row['gender']}'; expected f or m, or nothing; mend it"
        )
    speaker = speaker_word(row["speaker"])
    session = one_word(row.get("session") or speaker)
    for column, word in (("speaker", speaker), ("session", session)):
        if not is_fold_name(word):
            raise SerError(
                f"{path}:{line}: the {column} '{row[column]}'; expected a name, since it may name "
                "a fold; rename it"
            )
    source = _slashed(row["path"])
    if source.is_absolute():
        source = source.relative_to(shared)
    name = row.get("id") or str(source.with_suffix(""))
    return EmotionUtterance(
        utt=f"{speaker}-{one_word(name)}",
        utt_orig=one_word(name),
        spk=speaker,
        gender=GENDERS[gender],
        session=session,
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
    """The file, whichever way its path's slashes lean and its letters with marks are written."""
    for written in (text, str(_slashed(text))):
        for name in (written, *(unicodedata.normalize(form, written) for form in ("NFC", "NFD"))):
            wav = table.parent / name  # an absolute path stays as it is
            if wav.is_file():
                return wav.absolute()
    raise SerError(
        f"{table}:{line}: {table.parent / text}: no such file; expected audio; paths are relative "
        "to the table; mend the path"
    )
