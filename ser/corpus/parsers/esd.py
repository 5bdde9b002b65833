"""ESD (Zhou et al., 2021): ``0011/Angry/0011_000351.wav`` and ``0011/0011.txt``.

Speakers 0001 to 0010 speak Mandarin, 0011 to 0020 English; each reads the same 350 sentences of
the language in five emotions. Some copies part each emotion into ``train``, ``evaluation`` and
``test``, by sentence: their speakers are the same. The text files come in several encodings, some
lines of the release have spaces where the others have tabs, and the label column is not to be
trusted: the emotion is the folder's.
"""

import codecs
import re
from pathlib import Path

from ser.base.errors import Faults, SerError
from ser.base.files import read_bytes
from ser.corpus.parsers.parsing import named_files
from ser.corpus.parsers.roots import find_root, holds
from ser.corpus.utterance import EmotionCorpus, EmotionUtterance
from ser.text.normalise import normalise_transcript

EMOTIONS = {
    "Angry": "angry",
    "Happy": "happy",
    "Neutral": "neutral",
    "Sad": "sad",
    "Surprise": "surprised",
}
LABELS = (*EMOTIONS, *"中立 愤怒 生气 快乐 开心 高兴 悲伤 伤心 惊喜 惊讶".split())  # as lines end
SPLITS = ("train", "evaluation", "test")
NUM_SENTENCES = 350
NAME = re.compile(r"(?P<speaker>00\d\d)_(?P<number>\d{6})")
EXPECTED = "<speaker>/<Emotion>/<speaker>_<number>.wav"
ENCODINGS = ("utf-8-sig", "gb18030")
MISREAD = re.compile("[A-Za-z][\u4e00-\u9fff]")  # in English half of it is Windows-1252
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # without a mark, any even number of bytes is


def read_esd(root: Path) -> EmotionCorpus:
    """All utterances. Every speaker is a session of its own.

    Raises:
        SerError: The path holds no audio, a name or folder is not of the scheme, or a speaker's
            transcripts are missing or of no encoding that ESD uses.
    """
    root = find_root(root, EXPECTED, holds("00[0-2][0-9]/*/**/00[0-2][0-9]_*"), ["00[0-2][0-9]"])
    texts: dict[str, dict[str, str]] = {}
    utterances = []
    excluded = {}
    faults = Faults()
    for path, name in named_files(root, "00??/**/*", NAME, EXPECTED):
        with faults.noted():
            speaker = name["speaker"]
            split = path.parent.name if path.parent.name in SPLITS else ""
            emotion = (path.parent.parent if split else path.parent).name
            if emotion not in EMOTIONS or speaker not in path.relative_to(root).parts:
                raise SerError(
                    f"{path}: not in a folder of its speaker and emotion; expected {EXPECTED}; "
                    "move it"
                )
            language = "zh" if int(speaker) <= 10 else "en"  # other sentences
            if speaker not in texts:
                path_of_texts = root / speaker / f"{speaker}.txt"
                texts[speaker] = _read_texts(path_of_texts, is_english=language == "en")
            if path.stem not in texts[speaker]:
                excluded[f"{speaker}-{path.stem}"] = f"no line in {speaker}.txt"
                continue
            sentence = (int(name["number"]) - 1) % NUM_SENTENCES + 1
            utterances.append(
                EmotionUtterance(
                    utt=f"{speaker}-{path.stem}",
                    utt_orig=path.stem,
                    spk=speaker,
                    gender="",
                    session=speaker,
                    label=EMOTIONS[emotion],
                    wav=path,
                    transcript=normalise_transcript(texts[speaker][path.stem]),
                    attributes={
                        "utt2scene": f"{language}_sentence{sentence:03d}",
                        "utt2type": "scripted",
                        "utt2language": language,
                        **({"utt2split": split} if split else {}),
                    },
                )
            )
    faults.raise_any()
    for speaker, table in texts.items():
        if not any(u.spk == speaker for u in utterances):
            raise SerError(
                f"{root / speaker / f'{speaker}.txt'}: {len(table)} lines, none for an audio file "
                f"of {speaker}; expected one for each; fetch the table again"
            )
    return EmotionCorpus(utterances, excluded)


def _read_texts(path: Path, is_english: bool) -> dict[str, str]:
    """The sentence of each utterance: ``id<TAB>sentence<TAB>emotion``, or with spaces between."""
    content = read_bytes(path)
    encodings = [*ENCODINGS, *(["cp1252"] if is_english else [])]
    for encoding in ["utf-16"] if content.startswith(UTF_16) else encodings:
        try:
            text = content.decode(encoding)
        except UnicodeError:
            continue
        if is_english and encoding == "gb18030" and MISREAD.search(text):
            continue
        rows = map(_row, text.splitlines())
        return dict(row for row in rows if row)
    raise SerError(f"{path}: not text in UTF-8, UTF-16 or GB18030; convert it to UTF-8")


def _row(line: str) -> tuple[str, str] | None:
    """Id and sentence of a line, its label left out; None of a line without a sentence."""
    name, _, rest = line.strip().replace("\t", " \t ").partition(" ")
    sentence, tab, _ = rest.lstrip().partition("\t")
    sentence = " ".join(sentence.split())
    words = sentence.split(" ")
    if not tab and words[-1] in LABELS:
        sentence = " ".join(words[:-1])
    return (name, sentence) if sentence else None
