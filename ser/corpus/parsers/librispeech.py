"""LibriSpeech (Panayotov et al., 2015): ``<subset>/<speaker>/<chapter>/`` -> read sentences.

Any extension of ``ser.audio.reading.EXTENSIONS`` is taken (``.flac``, ``.wav``, ``.opus``, ...).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ser.base.errors import Faults, SerError
from ser.base.files import read_text
from ser.corpus.parsers.parsing import is_audio_file
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
    if is_audio_file(path, path.parent):
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
        utt, _, transcript = line.partition(" ")
        if not utt.startswith(f"{spk}-{chapter.name}-") or utt in words:
            faults.add(
                f"{transcripts_path}:{number}: '{utt}' is double or not of this chapter; "
                f"expected {spk}-{chapter.name}-<number> once; correct the line"
            )
        words.setdefault(utt, transcript)
    faults.raise_any()
    audio: dict[str, Path] = {}
    for path in sorted(path for path in chapter.iterdir() if is_audio_file(path, chapter)):
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
