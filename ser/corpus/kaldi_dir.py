"""A corpus that is a Kaldi data directory already, with ``utt2emo`` beside its tables."""

import math
import re
from collections.abc import Iterable
from pathlib import Path

from ser.base.errors import Faults, SerError
from ser.base.log import logger
from ser.corpus.clips import Clip
from ser.corpus.emotion import EmotionCorpus, EmotionUtterance
from ser.corpus.fold_lists import is_fold_name
from ser.corpus.layout import GENDERS
from ser.corpus.pipes import is_pipe
from ser.kaldi.data_dir import check_speakers
from ser.kaldi.table import Table, read_table, same_ids
from ser.text.normalise import normalise_transcript

OWN = {"utt2spk", "utt2emo", "utt2session"}
MADE = {"utt2dur", "utt2num_frames", "utt2emo_raw", "utt2orig", "utt2uniq", "utt2lang"}
NAME = re.compile(r"utt2\w+")
TO_THE_END = -1.0  # the end of a piece, in Kaldi's segments


def read_kaldi_dir(folder: Path) -> EmotionCorpus:
    """The utterances of ``wav.scp``, ``utt2spk`` and ``utt2emo``.

    ``segments``, ``text``, ``utt2session``, ``spk2gender`` and further ``utt2...`` are read as far
    as they are there. A speaker without a session is a session of its own.

    Args:
        folder: The data directory; paths in it are absolute, or relative to the current folder.

    Raises:
        SerError: A table is missing or malformed, the tables differ in their ids, a speaker or
            session cannot name a fold, or two speakers differ in case alone.
    """
    spk_of, label_of = read_table(folder / "utt2spk"), _optional(folder / "utt2emo")
    if label_of is None:
        raise SerError(
            f"{folder / 'utt2emo'}: no such file; expected the label of each utterance, "
            "'utterance label' a line; write it"
        )
    tables = {"utt2emo": label_of}
    for path in (folder / "text", *sorted(folder.glob("utt2*"))):
        if path.name != "text" and not NAME.fullmatch(path.name):
            logger.warning("warning: %s: not read: no name of a table, utt2<word>", path)
            continue
        table = _optional(path)
        if table is not None and path.name not in MADE:
            tables[path.name] = table
    for name, table in tables.items():
        _same_ids(folder, name, table, spk_of)
    texts, sessions = tables.get("text", {}), tables.get("utt2session", spk_of)
    _check_names(folder / "utt2spk", spk_of)
    _check_names(folder / "utt2session", sessions)
    check_speakers(folder / "utt2spk", spk_of)
    _check_case(folder / "utt2spk", spk_of)
    gender_of = _genders(folder / "spk2gender")
    clips = _clips(folder, spk_of)
    return EmotionCorpus(
        [
            EmotionUtterance(
                utt=utt,
                utt_orig=utt,
                spk=spk,
                gender=gender_of.get(spk, ""),
                session=sessions[utt],
                label=label_of[utt],
                wav=Path(clips[utt].source),
                transcript=normalise_transcript(texts.get(utt, "")),
                attributes={n: t[utt] for n, t in tables.items() if n not in {*OWN, "text"}},
                clip=None if _is_whole_file(clips[utt]) else clips[utt],
            )
            for utt, spk in spk_of.items()
        ]
    )


def _optional(path: Path) -> Table | None:
    return read_table(path) if path.exists() else None


def _same_ids(folder: Path, name: str, ids: Iterable[str], utts: Table) -> None:
    same_ids(folder / name, ids, folder / "utt2spk", utts, "mend the tables")


def _check_names(path: Path, names: Table) -> None:
    faults = Faults()
    for utt, name in names.items():
        if not is_fold_name(name):
            fault = SerError(
                f"{path}: {utt} has '{name}'; expected a word without slashes, since it may name a "
                "fold; mend the table"
            )
            faults.add(fault)
    faults.raise_any()


def _check_case(path: Path, spk_of: Table) -> None:
    faults = Faults()
    written: dict[str, str] = {}
    for spk in spk_of.values():
        first = written.setdefault(spk.casefold(), spk)
        if first != spk:
            fault = SerError(
                f"{path}: the speakers {first} and {spk}; expected names that differ in more than "
                "case: else one person stands on both sides of a fold; rename one"
            )
            faults.add(fault)
    faults.raise_any()


def _genders(path: Path) -> Table:
    table = _optional(path) or {}
    faults = Faults()
    for spk, gender in table.items():
        if gender.lower() not in GENDERS:
            faults.add(SerError(f"{path}: {spk} has '{gender}'; expected f or m; mend the table"))
    faults.raise_any()
    return {spk: GENDERS[gender.lower()] for spk, gender in table.items()}


def _is_whole_file(clip: Clip) -> bool:
    return clip == Clip(clip.source) and not is_pipe(clip.source)


def _clips(folder: Path, utts: Table) -> dict[str, Clip]:
    recordings = read_table(folder / "wav.scp")
    segments = _optional(folder / "segments")
    if segments is None:
        _same_ids(folder, "wav.scp", recordings, utts)
        return {utt: Clip(source) for utt, source in recordings.items()}
    _same_ids(folder, "segments", segments, utts)
    faults = Faults()
    clips = {}
    for utt, value in segments.items():
        clip = _segment(value, recordings)
        if clip is None:
            fault = SerError(
                f"{folder / 'segments'}: {utt} has '{value}'; expected a recording of wav.scp, and "
                "its beginning and end in seconds, the end -1 for that of the recording; mend the "
                "line"
            )
            faults.add(fault)
        else:
            clips[utt] = clip
    faults.raise_any()
    return clips


def _segment(value: str, recordings: Table) -> Clip | None:
    """The piece that a line of ``segments`` means; None where it means none."""
    try:
        recording, start, end = value.split()
        seconds = float(start), float(end)
    except ValueError:
        return None
    if recording not in recordings or not all(map(math.isfinite, seconds)):
        return None
    return Clip(recordings[recording], seconds[0], None if seconds[1] == TO_THE_END else seconds[1])
