"""Any corpus that is listed in a table: CSV or TSV with a row for each utterance.

Columns: ``path``, ``label`` and ``speaker``; as far as there are any ``text``, ``session``,
``gender``, ``id``, and ``start`` with ``end`` or ``duration`` where an utterance is a piece of its
file. Usual other names of these are read too. Each further column becomes a table of the data
directory (``scene`` -> ``utt2scene``), which is told.
"""

import math
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from ser.base.errors import Faults, SerError
from ser.base.log import logger
from ser.corpus.clips import Clip
from ser.corpus.emotion import EmotionUtterance
from ser.corpus.fold_lists import is_fold_name
from ser.corpus.layout import GENDERS, one_word, read_rows, speaker_word
from ser.text.normalise import normalise_transcript

REQUIRED = ("path", "label", "speaker")
OPTIONAL = ("text", "session", "gender", "id", "start", "end")
SYNONYMS = {
    "path": "file filename file_name filepath file_path wav wav_path audio audio_path audio_file",
    "label": "emotion emo class emotion_label",
    "speaker": "spk speaker_id spk_id spkid actor participant subject",
    "text": "transcript transcription",
    "gender": "sex",
    "id": "utt utt_id utterance_id",
    "start": "start_time starttime begin onset start_s start_sec start_seconds xmin",
    "end": "end_time endtime stop offset end_s end_sec end_seconds xmax",
    "duration": "dur duration_s duration_sec length_s",
}
MEANT = {word: name for name, words in SYNONYMS.items() for word in (name, *words.split())}
# A place in the file, in a unit that is not known here.
PLACE = re.compile(r"(start|begin|onset|end|stop|offset)(_?(ms|msec|frames?|samples?|us|ns)|)")
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
            another number of cells or lacks a value, an audio file does not exist, a time or a
            gender is none, two speakers differ in case, blanks and marks alone, or two utterances
            are one as words.
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
    rows = list(read_rows(path, REQUIRED, delimiter, partial(_named, path)))
    shared = _shared_folder(row["path"] for _, row in rows)
    faults = Faults()
    for line, row in rows:
        with faults.noted():
            utterance = _utterance(path, line, row, shared)
            _check_speaker(path, line, row["speaker"], utterance.spk, written)
            _check_id(path, line, utterance.utt, line_of)
            utterances.append(utterance)
    faults.raise_any()
    if not utterances:
        raise SerError(f"{path}: 0 rows below the header; expected one for each file; write them")
    kept = sorted(name for name in rows[0][1] if name not in (*REQUIRED, *OPTIONAL))
    if kept:
        logger.info("%s: kept as they are: the columns %s", path, ", ".join(kept))
    return utterances


def _check_speaker(path: Path, line: int, name: str, spk: str, written: dict[str, str]) -> None:
    """Holds a speaker's name to the one that ``written`` has of the same letters."""
    speaker = unicodedata.normalize("NFC", name)
    first = written.setdefault(spk.casefold(), speaker)
    if first != speaker:
        raise SerError(
            f"{path}:{line}: the speakers '{first}' and '{speaker}'; expected names that differ in "
            "more than case, blanks and marks: else one person stands on both sides of a fold; "
            "rename one"
        )


def _check_id(path: Path, line: int, utt: str, line_of: dict[str, int]) -> None:
    """Notes the line of an id, which no other may have."""
    first = line_of.setdefault(utt, line)
    if first != line:
        raise SerError(
            f"{path}:{line}: the id {utt} is also that of line {first}; expected each once; remove "
            "one, or tell them apart in a column 'id'"
        )


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
    clip = _piece(path, line, row, wav)
    name = row.get("id") or str(source.with_suffix(""))
    if clip and not row.get("id"):
        end = "end" if clip.end is None else f"{round(1000 * clip.end):07}"
        name = f"{name}-{round(1000 * clip.start):07}-{end}"
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
        clip=clip,
    )


def _named(path: Path, header: list[str]) -> list[str]:
    """The columns by the names that they are known by here; what is merely kept is told.

    Raises:
        SerError: Two columns mean one thing, or one means a place in the file in another unit.
    """
    known = [MEANT.get(re.sub(r"[ -]+", "_", name.casefold()), name) for name in header]
    # Where a column has the very name, another that could mean the same keeps its own.
    found = [
        original if name in header and original != name else name
        for name, original in zip(known, header, strict=True)
    ]
    for name in SYNONYMS:
        same = [original for original, one in zip(header, found, strict=True) if one == name]
        if len(set(same)) > 1:
            raise SerError(
                f"{path}: the columns {' and '.join(map(repr, same))} both mean '{name}'; expected "
                f"one; rename one to '{name}'"
            )
    places = [one for one in found if one not in MEANT and PLACE.fullmatch(one.casefold())]
    if places:
        raise SerError(
            f"{path}: the column '{places[0]}' is a place in the file in another unit; expected "
            "'start' and 'end' in seconds; convert and rename it, or give it a name of its own"
        )
    return found


def _piece(path: Path, line: int, row: Mapping[str, str], wav: Path) -> Clip | None:
    """The piece of its file that a row means; None where it means all of it."""
    if "end" not in row and "start" not in row:
        return None
    start = _seconds(path, line, "start", row.get("start", "")) or 0.0
    end = _seconds(path, line, "end", row.get("end", ""))
    if "end" not in row:
        duration = _seconds(path, line, "duration", row.get("duration", ""))
        end = None if duration is None else start + duration
    if end is not None and not 0 <= start < end:
        raise SerError(
            f"{path}:{line}: from {start:g} to {end:g} s; expected an end behind the start; mend "
            "the row"
        )
    return None if start == 0 and end is None else Clip(str(wav), start, end)


def _seconds(path: Path, line: int, column: str, text: str) -> float | None:
    """Seconds of ``1.5``, ``0:01.5`` or pandas' ``0 days 00:00:01.500000``; None of no time."""
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
        raise SerError(
            f"{path}:{line}: the {column} '{text}'; expected seconds, as 1.5, or a time, as "
            "0:00:01.5; mend it"
        )
    return total


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
