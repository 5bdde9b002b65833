"""ESD (Zhou et al., 2021): ``0011/Angry/0011_000351.wav`` and ``0011/0011.txt``.

Speakers 0001 to 0010 speak Mandarin, 0011 to 0020 English; each reads the same 350 sentences of
the language in five emotions. Some copies part each emotion into ``train``, ``evaluation`` and
``test``, by sentence: their speakers are the same. The text files come in several encodings, and
their label column is not to be trusted: the folder tells the emotion.
"""

import codecs
import re
from pathlib import Path

from ser.base.errors import SerError
from ser.corpus.emotion import EmotionCorpus, EmotionUtterance
from ser.corpus.layout import audio_files, match_name
from ser.text.normalise import normalise_transcript

EMOTIONS = {
    "Angry": "angry",
    "Happy": "happy",
    "Neutral": "neutral",
    "Sad": "sad",
    "Surprise": "surprised",
}
SPLITS = ("train", "evaluation", "test")
NUM_SENTENCES = 350
NAME = re.compile(r"(?P<speaker>00\d\d)_(?P<number>\d{6})")
EXPECTED = "<speaker>/<Emotion>/<speaker>_<number>.wav"
ENCODINGS = ("utf-8-sig", "gb18030")
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # without a mark, any even number of bytes is


def read_esd(root: Path) -> EmotionCorpus:
    """All utterances. Every speaker is a session of its own.

    Raises:
        SerError: The path holds no audio, a name or folder is not of the scheme, or a transcript
            is missing or of no encoding that ESD uses.
    """
    texts: dict[str, dict[str, str]] = {}
    utterances = []
    for path in audio_files(root, "00??/**/*", EXPECTED):
        name = match_name(NAME, path, EXPECTED)
        speaker = name["speaker"]
        split = path.parent.name if path.parent.name in SPLITS else ""
        emotion = (path.parent.parent if split else path.parent).name
        if emotion not in EMOTIONS or speaker not in path.relative_to(root).parts:
            raise SerError(
                f"{path}: not in a folder of its speaker and emotion; expected {EXPECTED}; move it"
            )
        if speaker not in texts:
            texts[speaker] = _read_texts(root / speaker / f"{speaker}.txt")
        if path.stem not in texts[speaker]:
            raise SerError(
                f"{root / speaker / f'{speaker}.txt'}: no line for {path.stem}; expected one for "
                "each file; fetch the table again"
            )
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
                    "utt2scene": f"sentence{sentence:03d}",
                    "utt2type": "scripted",
                    "utt2language": "zh" if int(speaker) <= 10 else "en",
                    **({"utt2split": split} if split else {}),
                },
            )
        )
    return EmotionCorpus(utterances)


def _read_texts(path: Path) -> dict[str, str]:
    """The sentence of each utterance: ``id<TAB>sentence<TAB>emotion``."""
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise SerError(f"{path}: no such file; expected the speaker's sentences") from error
    for encoding in ("utf-16",) if content.startswith(UTF_16) else ENCODINGS:
        try:
            text = content.decode(encoding)
        except UnicodeError:
            continue
        rows = (re.split(r"\t+", line.strip()) for line in text.splitlines())
        return {row[0]: row[1] for row in rows if len(row) > 1}
    raise SerError(f"{path}: not text in UTF-8, UTF-16 or GB18030; convert it to UTF-8")
