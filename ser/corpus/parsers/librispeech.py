"""LibriSpeech (Panayotov et al., 2015): ``<subset>/<speaker>/<chapter>/`` -> stage 0's folders.

Any extension of ``ser.audio.reading.EXTENSIONS`` is taken (``.flac``, ``.wav``, ``.opus``, ...).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ser.audio.reading import EXTENSIONS, measure_durations
from ser.base.errors import Faults, SerError
from ser.base.files import read_text
from ser.base.log import logger
from ser.base.record import require
from ser.config.schema import PretrainConfig
from ser.corpus.parsers.roots import find_root, holds, is_metadata_file
from ser.corpus.recorded import write_recorded
from ser.kaldi.data_dir import write_data_dir
from ser.kaldi.table import Table
from ser.text.normalise import normalise_transcript


@dataclass(frozen=True)
class ReadUtterance:
    """One read sentence. The id begins with the speaker (``19-198-0000``)."""

    utt: str
    spk: str
    wav: Path
    transcript: str


def missing_subsets(root: Path, subsets: Sequence[str]) -> list[str]:
    """The subsets that are not there.

    Raises:
        SerError: The path does not exist, or holds none of them.
    """
    if not root.is_dir():
        raise SerError(f"{root}: no such folder; expected LibriSpeech; set LIBRISPEECH")
    missing = [name for name in subsets if not (root / name).is_dir()]
    if len(missing) == len(subsets):
        raise SerError(
            f"{root}: holds none of {', '.join(subsets)}; expected <subset>/<speaker>/<chapter>; "
            "set LIBRISPEECH to the folder of the subsets"
        )
    return missing


def require_subsets(data: Path, config: PretrainConfig, path: Path) -> None:
    """Checks ``data/asr_train`` against the subsets that a pre-training expects.

    Args:
        data: The data directory.
        config: The pre-training.
        path: Its ``conf/pretrain/<name>.yaml``.

    Raises:
        SerError: Some are missing, and the configuration does not allow it.
    """
    missing = require(data, 0)["notes"].get("missing_subsets", [])
    if missing and not config.allow_missing_subsets:
        raise SerError(
            f"{data}: LibriSpeech's {', '.join(missing)} are missing; {path} expects all; restore "
            "them and rerun from stage 0, or set allow_missing_subsets: true"
        )


def read_librispeech(root: Path, subsets: Iterable[str]) -> list[ReadUtterance]:
    """All utterances of the subsets that are there.

    Raises:
        SerError: Audio without a transcript, a transcript without audio, or an id twice.
    """
    found: dict[str, ReadUtterance] = {}
    faults = Faults()
    for subset in subsets:
        for speaker in (root / subset).glob("*.*"):
            with faults.noted():
                _refuse_audio(speaker)
        for chapter in sorted((root / subset).glob("*/*")):
            with faults.noted():
                if not chapter.is_dir():
                    _refuse_audio(chapter)
                    continue
                for utterance in _read_chapter(chapter):
                    if utterance.utt in found:
                        raise SerError(
                            f"{utterance.wav}: the id {utterance.utt} is also that of "
                            f"{found[utterance.utt].wav}; expected each id once; remove one"
                        )
                    found[utterance.utt] = utterance
    faults.raise_any()
    return list(found.values())


def _refuse_audio(path: Path) -> None:
    if path.suffix.lower() in EXTENSIONS and not is_metadata_file(path):
        raise SerError(
            f"{path}: audio beside the chapters, without a transcript; expected "
            "<subset>/<speaker>/<chapter>/<utterance>; move or remove it"
        )


def _read_chapter(chapter: Path) -> list[ReadUtterance]:
    spk = chapter.parent.name
    transcripts_path = chapter / f"{spk}-{chapter.name}.trans.txt"
    words: dict[str, str] = {}
    faults = Faults()
    for number, line in enumerate(read_text(transcripts_path).splitlines(), start=1):
        with faults.noted():
            utt, _, transcript = line.partition(" ")
            if not utt.startswith(f"{spk}-{chapter.name}-") or utt in words:
                raise SerError(
                    f"{transcripts_path}:{number}: '{utt}' is double or not of this chapter; "
                    f"expected {spk}-{chapter.name}-<number> once; correct the line"
                )
            words[utt] = transcript
    faults.raise_any()
    audio: dict[str, Path] = {}
    for path in sorted(chapter.iterdir()):
        if path.suffix.lower() not in EXTENSIONS or is_metadata_file(path):
            continue
        if path.stem in audio:
            raise SerError(f"{path}: {audio[path.stem].name} has the same id; remove one of them")
        audio[path.stem] = path
    _same_utts(chapter, transcripts_path, words, audio)
    return [ReadUtterance(utt, spk, audio[utt], normalise_transcript(words[utt])) for utt in words]


def _same_utts(
    chapter: Path, transcripts: Path, words: Mapping[str, str], audio: Mapping[str, Path]
) -> None:
    silent = (
        f"{chapter}: {utt} has a transcript and no audio; expected both; restore the file"
        for utt in sorted(words.keys() - audio.keys())
    )
    wordless = (
        f"{audio[utt]}: no transcript in {transcripts.name}; expected both; restore the line"
        for utt in sorted(audio.keys() - words.keys())
    )
    Faults((*silent, *wordless)).raise_any()


def split_speakers(
    utterances: Iterable[ReadUtterance], valid_speakers: Sequence[str]
) -> tuple[list[ReadUtterance], list[ReadUtterance]]:
    """Training and validation utterances, the latter by whole speakers.

    Raises:
        SerError: A validation speaker is not in the corpus.
    """
    listed = list(utterances)
    unknown = sorted(set(valid_speakers) - {u.spk for u in listed})
    if unknown:
        raise SerError(
            f"LibriSpeech: the validation speaker {unknown[0]} is not in the subsets read; "
            "expected one of theirs; correct local/data.sh"
        )
    train = [u for u in listed if u.spk not in valid_speakers]
    return train, [u for u in listed if u.spk in valid_speakers]


def asr_tables(utterances: Iterable[ReadUtterance]) -> dict[str, Table]:
    """The tables of a Kaldi data directory, but for the durations."""
    listed = list(utterances)
    return {
        "wav.scp": {u.utt: str(u.wav.absolute()) for u in listed},
        "text": {u.utt: u.transcript for u in listed},
        "utt2spk": {u.utt: u.spk for u in listed},
    }


def prepare_librispeech(
    root: Path,
    train_out: Path,
    valid_out: Path,
    train_subsets: Sequence[str],
    valid_subsets: Sequence[str],
    valid_speakers: Sequence[str],
) -> None:
    """LibriSpeech -> ``data/asr_train`` and ``data/asr_valid``.

    Args:
        root: The folder of the subsets.
        train_out: Data directory to write.
        valid_out: Data directory to write.
        train_subsets: Subsets to train on; those that are missing are listed and noted.
        valid_subsets: Subsets to validate on.
        valid_speakers: Speakers of the training subsets to validate on instead.

    Raises:
        SerError: The corpus is missing or malformed, or nothing is left to validate on.
    """
    subsets = (*train_subsets, *valid_subsets)
    is_root = holds(*(f"{subset}/*/*/*.trans.txt" for subset in subsets))
    root = find_root(root, "subsets of LibriSpeech", is_root, subsets)
    missing = missing_subsets(root, train_subsets)
    missing_valid = missing_subsets(root, valid_subsets) if valid_subsets else []
    if missing or missing_valid:
        listed = ", ".join(missing + missing_valid)
        logger.warning("warning: %s: the subsets %s are missing", root, listed)
    train, valid = split_speakers(read_librispeech(root, train_subsets), valid_speakers)
    valid += read_librispeech(root, valid_subsets)
    if not valid:
        raise SerError(
            f"{root}: no utterance to validate on; expected validation subsets or speakers; name "
            "them in local/data.sh"
        )
    _write_read_speech(train_out, train, missing)
    _write_read_speech(valid_out, valid, missing_valid)


def _write_read_speech(
    out: Path, utterances: Sequence[ReadUtterance], missing: Sequence[str]
) -> None:
    tables = asr_tables(utterances)
    tables["utt2dur"] = measure_durations({u.utt: u.wav for u in utterances})
    hours = sum(map(float, tables["utt2dur"].values())) / 3600
    logger.info("%s: %s utterances, %.2f h", out, len(utterances), hours)
    write_recorded(
        out,
        {},
        lambda folder: write_data_dir(folder, tables),
        with_audio=False,  # 60 GB in full
        missing_subsets=missing,
    )
