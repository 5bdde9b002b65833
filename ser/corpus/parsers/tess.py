"""TESS (Pichora-Fuller & Dupuis, 2020): ``OAF_angry/OAF_back_angry.wav``, two women, 200 words.

The folders are named in several ways and nested in some copies, so only the file's name counts.
Some names lack the ``F`` of the actor (``OA_bite_neutral``); ``ps`` is a pleasant surprise.
"""

import re
from pathlib import Path

from ser.corpus.parsers.parsing import named_files
from ser.corpus.parsers.roots import find_root, holds
from ser.corpus.utterance import EmotionCorpus, EmotionUtterance
from ser.text.normalise import normalise_transcript

EMOTIONS = {
    "angry": "angry",
    "disgust": "disgust",
    "fear": "fearful",
    "happy": "happy",
    "neutral": "neutral",
    "ps": "surprised",
    "sad": "sad",
}
SPEAKERS = {"O": "OAF", "Y": "YAF"}  # older and younger adult female
NAME = re.compile(
    rf"(?P<speaker>[OY])AF?_(?P<word>[a-z]+)_(?P<emotion>{'|'.join(EMOTIONS)})", re.IGNORECASE
)
EXPECTED = "OAF_<word>_<emotion>.wav and YAF_<word>_<emotion>.wav, in folders of any name"


def read_tess(root: Path) -> EmotionCorpus:
    """All utterances. Each of the two women is a session of her own.

    Raises:
        SerError: The path holds no audio, or a name is not of the scheme.
    """
    utterances = []
    root = find_root(root, EXPECTED, holds("[OY]A*_*/[OY]A*_*_*"), ["[OY]A*_*"])
    for path, name in named_files(root, "**/*", NAME, EXPECTED):
        speaker = SPEAKERS[name["speaker"].upper()]
        word, emotion = name["word"].lower(), name["emotion"].lower()
        utterances.append(
            EmotionUtterance(
                utt=f"{speaker}-{word}-{emotion}",
                utt_orig=path.stem,
                spk=speaker,
                gender="f",
                session=speaker,
                label=EMOTIONS[emotion],
                wav=path,
                transcript=normalise_transcript(f"Say the word {word}"),
                attributes={"utt2scene": word, "utt2type": "scripted"},
            )
        )
    return EmotionCorpus(utterances)
