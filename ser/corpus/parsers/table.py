"""Any corpus that is listed in a table: CSV or TSV with a row for each utterance.

Columns: ``path``, ``label`` and ``speaker``; as far as there are any ``text``, ``session``,
``gender``, ``id``, and ``start`` with ``end`` or ``duration`` where an utterance is a piece of its
file. Usual other names of these are read too. Each further column becomes a table of the data
directory (``scene`` -> ``utt2scene``), which is logged.
"""

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from ser.base.errors import Faults, SerError
from ser.base.files import read_text
from ser.base.log import logger
from ser.base.names import SESSION, SPEAKER
from ser.corpus.parsers.cells import NO_VALUE, audio_file, seconds, slashed, without_point
from ser.corpus.parsers.parsing import EXCEL_SEP, GENDERS, one_word, read_rows, speaker_word
from ser.corpus.parsers.repeats import SeenRows
from ser.corpus.segments import Clip
from ser.corpus.utterance import EmotionUtterance
from ser.kaldi.data_dir import SELF_REPORT
from ser.text.normalise import normalise_transcript

REQUIRED = ("path", "label", "speaker")
OPTIONAL = ("text", "session", "gender", "id", "start", "end")
KNOWN = (*REQUIRED, *OPTIONAL)
MAY_BE_NUMBERS = ("label", "speaker", "session")
SYNONYMS = {
    "path": "file filename file_name filepath file_path wav wav_path audio audio_path audio_file",
    "label": "emotion emo class emotion_label",
    "speaker": "spk speaker_id spk_id spkid actor participant subject",
    "text": "transcript transcription",
    "gender": "sex",
    "id": "utt utt_id utterance_id",
    "start": "start_time starttime begin onset start_s start_sec start_seconds xmin",
    "end": "end_time endtime stop end_s end_sec end_seconds xmax",
    "duration": "dur duration_s duration_sec length_s",
}
TABLES = ("scene", "votes", "type", "split", "dialogue")  # utt2..., of which something is made
MEANT = {word: name for name, words in SYNONYMS.items() for word in (name, *words.split())}
# A place in the file, in a unit that is not known here.
PLACE = re.compile(
    r"(start|begin|onset|end|stop|offset|dur|duration|length)_?(ms|msec|frames?|samples?|us|ns)|offset"
)
OFFSET = "offset"  # the start to some, the end to others
DELIMITERS = {".csv": ",", ".tsv": "\t"}
BETWEEN_CELLS = ",;\t"  # Excel's, by country and format
UNNAMED = "Unnamed: "  # as pandas calls a column without a name, its index mostly
Row = dict[str, str]
NAME = re.compile(r"[A-Za-z]\w*")


def read_table_corpus(path: Path) -> list[EmotionUtterance]:
    """The utterances of a table; paths are relative to its folder unless they are absolute.

    A speaker without a session is a session of its own; a table without texts is a corpus without
    words. An utterance without an id is called by its path; of absolute ones the folder that they
    all lie in is left out, so that the same corpus in another place has the same ids. Those who
    mean to add rows from other folders had better write ids.

    Raises:
        SerError: The file is no CSV or TSV, a column is missing or double, or rows are faulty: with
            another number of cells, without a value, without an audio file, with a time or a gender
            that is none, with speakers or sessions that differ in case, spaces, marks and zeros in
            front alone, with another label or speaker of the same audio, or with utterances that
            are one as words. All such rows are listed.
    """
    if not path.exists():
        raise SerError(
            f"{path}: no such file or folder; expected a .csv or .tsv file, or a Kaldi data "
            "directory; correct the path"
        )
    if path.suffix.lower() not in DELIMITERS:
        raise SerError(f"{path}: expected a .csv or .tsv file; export it as CSV in UTF-8")
    rows = read_rows(path, REQUIRED, _delimiter(path), partial(_named, path))
    if not rows:
        raise SerError(f"{path}: 0 rows below the header; expected one for each file; write them")
    rows = _cleaned(path, rows)
    shared = _shared_folder(row["path"] for _, row in rows)
    without = [line for line, row in rows if not row.get("session")]
    sessions = {one_word(row.get("session", "")) for _, row in rows}
    seen = SeenRows()
    faults = Faults()
    utterances = []
    for line, row in rows:
        with faults.noted(f"{path}:{line}: "):
            utterance = _utterance(path, row, shared, sessions)
            if seen.is_new(line, row, utterance):
                utterances.append(utterance)
    faults.raise_any()
    if len(without) not in (0, len(rows)):
        logger.warning(
            "%s: %s of %s rows have no session (line %s the first): they are a session of "
            "their speaker's own, which intervals and folds by session take for another",
            *(path, len(without), len(rows), without[0]),
        )
    _tell_self_reports(path, utterances)
    if seen.num_copies:
        logger.warning("%s: %s rows occur twice; each is read once", path, seen.num_copies)
    pieces = [u.utt for u in utterances if u.clip]
    whole = [u.utt for u in utterances if u.clip is None]
    if pieces and whole:
        logger.warning(
            "%s: %s of %s utterances (%s the first) are whole files, beside pieces of "
            "files: their rows have no end, and no start or 0",
            *(path, len(whole), len(utterances), whole[0]),
        )
    open_ended = [u.utt for u in utterances if u.clip and u.clip.end is None]
    if open_ended:
        logger.warning(
            "%s: %s pieces (%s the first) have no end and no duration: they go on to the "
            "end of their files",
            *(path, len(open_ended), open_ended[0]),
        )
    return utterances


def _tell_self_reports(path: Path, utterances: Sequence[EmotionUtterance]) -> None:
    votes = " ".join(u.attributes.get("utt2votes", "") for u in utterances)
    names = sorted({vote.partition("=")[0] for vote in votes.split()})
    if own := list(filter(SELF_REPORT.fullmatch, names)):
        logger.warning(
            "%s: the annotators %s count as speakers who vote on themselves, as in "
            "IEMOCAP, and not in the agreement; if they are others, rename them",
            *(path, ", ".join(own)),
        )


def _delimiter(path: Path) -> str:
    """What stands between the cells: by the file's name, or by the header where that has none."""
    expected = DELIMITERS[path.suffix.lower()]
    first, _, rest = read_text(path).removeprefix("\ufeff").partition("\n")
    header = rest.partition("\n")[0] if first.startswith(EXCEL_SEP) else first
    found = next((mark for mark in (expected, *BETWEEN_CELLS) if mark in header), expected)
    if found != expected:
        logger.info("%s: '%s' stands between the cells, not '%s'", path, found, expected)
    return found


def _cleaned(path: Path, rows: Sequence[tuple[int, Row]]) -> list[tuple[int, Row]]:
    """The rows without pandas' index, NaN and ``.0``, home folders written out; all of it logged.

    Raises:
        SerError: A column that is kept has a name that is no word.
    """
    columns = rows[0][1]
    kept = sorted(name for name in columns if name not in KNOWN and not name.startswith(UNNAMED))
    strange = [name for name in kept if not NAME.fullmatch(name)]
    if strange:
        raise SerError(
            f"{path}: the column {', '.join(map(repr, strange))} is no word; expected letters, "
            "digits and underscores; rename it"
        )
    if kept:
        logger.info("%s: kept as they are: the columns %s", path, ", ".join(kept))
    unnamed = [name for name in columns if name.startswith(UNNAMED)]
    if unnamed:
        logger.info("%s: not read: %s columns without a name", path, len(unnamed))
    cleaned = [
        (line, {name: row[name] for name in row if name not in unnamed}) for line, row in rows
    ]
    empty, pointed = [], set()
    for line, row in cleaned:
        for name, text in row.items():
            if text in NO_VALUE:
                row[name] = ""
                empty.append((line, name))
            elif name in MAY_BE_NUMBERS and without_point(text) != text:
                row[name] = without_point(text)
                pointed.add(name)
        if row["path"].startswith("~/"):
            row["path"] = str(Path(row["path"]).expanduser())
    if empty:
        logger.info(
            "%s: %s cells of NaN are read as empty, the first in line %s (%s)",
            *(path, len(empty), *empty[0]),
        )
    if pointed:
        said = ", ".join(sorted(pointed))
        logger.info("%s: whole numbers are read without their '.0': %s", path, said)
    return cleaned


def _shared_folder(paths: Iterable[str]) -> Path:
    """The deepest folder that all absolute paths have in common."""
    folders = [path.parent for path in map(slashed, paths) if path.is_absolute()]
    return Path(os.path.commonpath(folders)) if folders else Path("/")


def _utterance(
    path: Path, row: Mapping[str, str], shared: Path, sessions: Collection[str]
) -> EmotionUtterance:
    empty = [name for name in REQUIRED if not row[name]]
    if empty:
        raise SerError(f"no {empty[0]}; expected a value; fill it in")
    wav = audio_file(path.parent, row["path"])
    gender = row.get("gender", "").lower()
    if gender not in GENDERS:
        raise SerError(f"the gender '{row['gender']}'; expected f or m, or nothing; correct it")
    speaker = speaker_word(row["speaker"])
    # Speaker 3 without a session is not in session 3.
    alone = f"{speaker}-alone" if speaker in sessions else speaker
    session = one_word(row.get("session") or alone)
    for kind, word in ((SPEAKER, speaker), (SESSION, session)):
        if fault := kind.fault(word):
            raise SerError(fault)
    source = slashed(row["path"])
    if source.is_absolute():
        source = source.relative_to(shared)
    clip = _piece(row, wav)
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
        attributes={f"utt2{name}": value for name, value in row.items() if name not in KNOWN},
        clip=clip,
    )


def _named(path: Path, header: list[str]) -> list[str]:
    """The columns by the names that they are known by here; those without one are numbered.

    Raises:
        SerError: Two columns mean one thing, or one means a place in the file in another unit.
    """
    header = [name or f"{UNNAMED}{place}" for place, name in enumerate(header)]
    known = [MEANT.get(re.sub(r"[ -]+", "_", name.casefold()), name) for name in header]
    known = [name.casefold() if name.casefold() in TABLES else name for name in known]
    # Where a column has the very name, another that could mean the same keeps its own.
    found = [
        original if name in header and original != name else name
        for name, original in zip(known, header, strict=True)
    ]
    # The end beside a start, as of annotations; the start beside a duration, as NeMo has it.
    if OFFSET in map(str.casefold, found):
        meaning = "end" if "start" in found else "start" if "duration" in found else OFFSET
        found = [meaning if name.casefold() == OFFSET else name for name in found]
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
            f"{path}: the column '{places[0]}' is a place in the file in another unit, or a start "
            "to some and an end to others; expected 'start' and 'end' or 'duration' in seconds; "
            "convert and rename it, or give it a name of its own"
        )
    pairs = zip(header, found, strict=True)
    renamed = [
        f"{given} as {name}"
        for given, name in pairs
        if name != given and (name != given.casefold() or name in TABLES)
    ]
    if renamed:
        logger.info("%s: columns are read under other names: %s", path, ", ".join(renamed))
    return found


def _piece(row: Mapping[str, str], wav: Path) -> Clip | None:
    """The piece of its file that a row means; None where it means all of it."""
    if "end" not in row and "start" not in row:
        return None
    start = seconds("start", row.get("start", "")) or 0.0
    end = seconds("end", row.get("end", ""))
    duration = seconds("duration", row.get("duration", ""))
    for what, value in (("an end", end), ("a duration", duration)):
        if value is not None and not row.get("start", "0").strip():
            raise SerError(f"{what} of {value:g} s without a start; expected both; correct the row")
    if end is None and duration is not None:
        end = start + duration
    if end is not None and not 0 <= start < end:
        raise SerError(
            f"from {start:g} to {end:g} s; expected an end after the start; correct the row"
        )
    return None if start == 0 and end is None else Clip(str(wav), start, end)
