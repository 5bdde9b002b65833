"""A corpus that is a Kaldi data directory already, with ``utt2emo`` beside its tables."""

from pathlib import Path

from ser.base.errors import SerError
from ser.corpus.clips import Clip, is_pipe, write_clips
from ser.corpus.emotion import EmotionCorpus, EmotionUtterance
from ser.kaldi.table import Table, read_table, same_ids
from ser.text.normalise import normalise_transcript

OWN = {"utt2spk", "utt2emo", "utt2session"}
MADE = {"utt2dur", "utt2num_frames", "utt2emo_raw", "utt2orig", "utt2uniq", "utt2lang"}


def read_kaldi_dir(folder: Path, audio: Path, allow_pipes: bool) -> EmotionCorpus:
    """The utterances of ``wav.scp``, ``utt2spk`` and ``utt2emo``.

    ``segments``, ``text``, ``utt2session``, ``spk2gender`` and further ``utt2...`` are read as far
    as they are there. A speaker without a session is a session of its own.

    Args:
        folder: The data directory; paths in it are absolute, or relative to the current folder.
        audio: Where pieces of recordings, and what commands write, become files.
        allow_pipes: Whether the commands of ``wav.scp`` may be run.

    Raises:
        SerError: A table is missing or malformed, the tables differ in their ids, or a piece
            cannot be had.
    """
    spk_of, label_of = read_table(folder / "utt2spk"), _optional(folder / "utt2emo")
    if label_of is None:
        raise SerError(
            f"{folder / 'utt2emo'}: no such file; expected the label of each utterance, "
            "'utterance label' a line; write it"
        )
    tables = {"utt2emo": label_of}
    for path in (folder / "text", *sorted(folder.glob("utt2*"))):
        table = _optional(path)
        if table is not None and path.name not in MADE:
            tables[path.name] = table
    for name, table in tables.items():
        same_ids(folder / name, table, folder / "utt2spk", spk_of)
    gender_of = _optional(folder / "spk2gender") or {}
    clips = _clips(folder, spk_of)
    cut = {utt: c for utt, c in clips.items() if c.end is not None or is_pipe(c.source)}
    wavs = {utt: Path(clip.source).absolute() for utt, clip in clips.items()}
    wavs |= write_clips(cut, audio, allow_pipes) if cut else {}
    texts, sessions = tables.get("text", {}), tables.get("utt2session", spk_of)
    return EmotionCorpus(
        [
            EmotionUtterance(
                utt=utt,
                utt_orig=utt,
                spk=spk,
                gender=gender_of.get(spk, ""),
                session=sessions[utt],
                label=label_of[utt],
                wav=wavs[utt],
                transcript=normalise_transcript(texts.get(utt, "")),
                attributes={n: t[utt] for n, t in tables.items() if n not in {*OWN, "text"}},
            )
            for utt, spk in spk_of.items()
        ]
    )


def _optional(path: Path) -> Table | None:
    return read_table(path) if path.exists() else None


def _clips(folder: Path, utts: Table) -> dict[str, Clip]:
    recordings = read_table(folder / "wav.scp")
    segments = _optional(folder / "segments")
    if segments is None:
        same_ids(folder / "wav.scp", recordings, folder / "utt2spk", utts)
        return {utt: Clip(source) for utt, source in recordings.items()}
    same_ids(folder / "segments", segments, folder / "utt2spk", utts)
    clips = {}
    for utt, value in segments.items():
        try:
            recording, start, end = value.split()
            clips[utt] = Clip(recordings[recording], float(start), float(end))
        except (ValueError, KeyError) as error:
            raise SerError(
                f"{folder / 'segments'}: {utt} has '{value}'; expected a recording of wav.scp, and "
                "its beginning and end in seconds; mend the line"
            ) from error
    return clips
