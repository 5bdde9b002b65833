"""A corpus that is a Kaldi data directory already, with ``utt2emo`` beside its tables."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from ser.audio.audio_ark import place_in_ark
from ser.base.errors import Faults, SerError, first_few
from ser.base.log import logger
from ser.base.names import SESSION, SPEAKER, Name, is_line
from ser.corpus.parsers.cells import MAX_SECONDS
from ser.corpus.parsers.parsing import GENDERS, likeness, one_person
from ser.corpus.pipes import is_pipe
from ser.corpus.segments import Clip
from ser.corpus.utterance import EmotionCorpus, EmotionUtterance
from ser.kaldi.data_dir import speaker_fault
from ser.kaldi.table import Table, c_order, read_given_table, same_ids
from ser.text.normalise import normalise_transcript

OWN = {"utt2spk", "utt2emo", "utt2session"}
MADE = {"utt2dur", "utt2num_frames", "utt2emo_raw", "utt2orig"}
NAME = re.compile(r"utt2\w+")
TO_THE_END = -1.0  # the end of a piece, in Kaldi's segments


def read_kaldi_dir(folder: Path) -> EmotionCorpus:
    """The utterances of ``wav.scp``, ``utt2spk`` and ``utt2emo``.

    ``segments``, ``text``, ``utt2session``, ``spk2gender`` and further ``utt2...`` are read as far
    as they are there, ``spk2utt`` in place of ``utt2spk``. A speaker without a session is a session
    of its own. Where the ids do not begin with their speakers, in the order of these, ours are
    ``<speaker>-<id>``, which is logged.

    Args:
        folder: The data directory; paths in it are absolute, or relative to the current folder.

    Raises:
        SerError: A table is missing or malformed, the tables differ in their ids, a speaker or
            session cannot name a fold, two speakers differ in case alone, or one audio has two
            labels or speakers.
    """
    spk_of, label_of = _speakers(folder), _optional(folder / "utt2emo")
    if label_of is None:
        raise SerError(
            f"{folder / 'utt2emo'}: no such file; expected the label of each utterance, "
            "'utterance label' a line; write it"
        )
    tables = {"utt2emo": label_of}
    for path in (folder / "text", *sorted(folder.glob("utt2*"))):
        if path.name != "text" and not NAME.fullmatch(path.name):
            logger.warning("%s: not read: no name of a table, utt2<word>", path)
            continue
        table = _optional(path)
        if table is not None and path.name not in MADE:
            tables[path.name] = table
    for name, table in tables.items():
        _same_ids(folder, name, table, spk_of)
    texts, sessions = tables.get("text", {}), tables.get("utt2session", spk_of)
    _check_names(folder / "utt2spk", spk_of, SPEAKER)
    _check_names(folder / "utt2session", sessions, SESSION)
    _check_case(folder / "utt2spk", spk_of)
    name_of = _ids(folder / "utt2spk", spk_of)
    gender_of = _genders(folder / "spk2gender")
    clips = _clips(folder, spk_of)
    _check_repeats(folder, clips, {"label": label_of, "speaker": spk_of})
    return EmotionCorpus(
        [
            EmotionUtterance(
                utt=name_of[utt],
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


def _check_repeats(folder: Path, clips: Mapping[str, Clip], tables: Mapping[str, Table]) -> None:
    """One recording, or one piece of it, has one label and one speaker."""
    first: dict[Clip, str] = {}
    faults = Faults()
    for utt, clip in clips.items():
        other = first.setdefault(clip, utt)
        for what, table in tables.items():
            if table[utt] != table[other]:
                faults.add(
                    f"{folder}: {utt} is the audio of {other}, with the {what} '{table[utt]}' and "
                    f"not '{table[other]}'; expected one {what} of each audio; correct or remove "
                    "the wrong one"
                )
    faults.raise_any()


def _optional(path: Path) -> Table | None:
    return read_given_table(path) if path.exists() else None


def _speakers(folder: Path) -> Table:
    """The speaker of each utterance, by whichever of the two tables is there.

    Raises:
        SerError: Neither is there, they disagree, or an utterance is of two speakers.
    """
    path = folder / "spk2utt"
    pairs = [(u, spk) for spk, utts in (_optional(path) or {}).items() for u in utts.split()]
    inverse = dict(pairs)
    Faults(
        f"{path}: {utt} is of {spk} and of {inverse[utt]}; expected one speaker; correct the table"
        for utt, spk in pairs
        if inverse[utt] != spk
    ).raise_any()
    if pairs and not (folder / "utt2spk").exists():
        return {utt: inverse[utt] for utt in sorted(inverse, key=c_order)}
    spk_of = read_given_table(folder / "utt2spk")
    if pairs and inverse != spk_of:
        stray = sorted({utt for utt, _ in inverse.items() ^ spk_of.items()}, key=c_order)
        raise SerError(
            f"{path}: not the inverse of utt2spk, by {len(stray)} utterances: {first_few(stray)}; "
            "expected the same speakers in both; remove one of the two files"
        )
    return spk_of


def _ids(path: Path, spk_of: Table) -> Table:
    """Our id of each utterance: its own, or after its speaker where Kaldi asks that of any.

    Raises:
        SerError: The speakers' names themselves hinder the order.
    """
    fault = speaker_fault(spk_of)
    if not fault:
        return {utt: utt for utt in spk_of}
    named = {utt: f"{spk}-{utt}" for utt, spk in spk_of.items()}
    spk_of_named = {named[utt]: spk for utt, spk in spk_of.items()}
    if left := speaker_fault({u: spk_of_named[u] for u in sorted(spk_of_named, key=c_order)}):
        raise SerError(f"{path}: {left}")
    logger.warning(
        "%s: %s; all utterances are called <speaker>-<id>; utt2orig keeps the ids",
        *(path, fault.partition(";")[0]),
    )
    return named


def _same_ids(folder: Path, name: str, ids: Iterable[str], utts: Table) -> None:
    same_ids(folder / name, ids, folder / "utt2spk", utts, "correct the tables")


def _check_names(path: Path, names: Table, kind: Name) -> None:
    Faults(
        f"{path}: {utt}: {fault}" for utt, name in names.items() if (fault := kind.fault(name))
    ).raise_any()


def _check_case(path: Path, spk_of: Table) -> None:
    written: dict[str, str] = {}
    faults = Faults()
    for spk in spk_of.values():
        first = written.setdefault(likeness(spk), spk)
        if first != spk:
            faults.add(f"{path}: {one_person('speakers', first, spk)}")
    faults.raise_any()


def _refuse_channels(folder: Path, recordings: Table) -> None:
    """Speakers on the channels of one file would all get the mean of its channels."""
    if _optional(folder / "reco2file_and_channel") is None:
        return
    first: dict[str, str] = {}
    for recording, source in recordings.items():
        if first.setdefault(source, recording) != recording:
            raise SerError(
                f"{folder / 'wav.scp'}: {first[source]} and {recording} are one file; expected one "
                "for each of its channels, which are averaged here; write each into a file"
            )


def _genders(path: Path) -> Table:
    table = _optional(path) or {}
    Faults(
        f"{path}: {spk} has '{gender}'; expected f or m; correct the table"
        for spk, gender in table.items()
        if gender.lower() not in GENDERS
    ).raise_any()
    return {spk: GENDERS[gender.lower()] for spk, gender in table.items()}


def _is_whole_file(clip: Clip) -> bool:
    source = clip.source
    return clip == Clip(source) and not is_pipe(source) and place_in_ark(source) is None


def _check_sources(path: Path, recordings: Table) -> None:
    faults = Faults()
    for recording, source in recordings.items():
        with faults.noted():
            if not source:
                raise SerError(
                    f"{path}: nothing after {recording}; expected an audio file, <ark>:<offset>, "
                    "or a command that ends in |; correct the line"
                )
            if not is_line(source):
                raise SerError(
                    f"{path}: {recording} has '{source}'; expected the path of a file, without "
                    "characters that are not shown; correct the line"
                )
            place_in_ark(source)
    faults.raise_any()


def _clips(folder: Path, utts: Table) -> dict[str, Clip]:
    recordings = read_given_table(folder / "wav.scp")
    _refuse_channels(folder, recordings)
    _check_sources(folder / "wav.scp", recordings)
    segments = _optional(folder / "segments")
    if segments is None:
        _same_ids(folder, "wav.scp", recordings, utts)
        return {utt: Clip(source) for utt, source in recordings.items()}
    _same_ids(folder, "segments", segments, utts)
    clips = {utt: _segment(value, recordings) for utt, value in segments.items()}
    Faults(
        f"{folder / 'segments'}: {utt} has '{segments[utt]}'; expected a recording of wav.scp, and "
        f"its beginning and end in seconds, at most {MAX_SECONDS:.0f}, the end -1 for that of the "
        "recording; correct the line"
        for utt, clip in clips.items()
        if clip is None
    ).raise_any()
    return {utt: clip for utt, clip in clips.items() if clip}


def _segment(value: str, recordings: Table) -> Clip | None:
    """The piece that a line of ``segments`` means; None where it means none."""
    try:
        recording, start, end = value.split()
        seconds = float(start), float(end)
    except ValueError:
        return None
    if recording not in recordings or not all(abs(x) <= MAX_SECONDS for x in seconds):
        return None
    return Clip(recordings[recording], seconds[0], None if seconds[1] == TO_THE_END else seconds[1])
