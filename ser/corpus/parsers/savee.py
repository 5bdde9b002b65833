"""SAVEE (Haq & Jackson, 2010): ``AudioData/DC/a01.wav``, four men; flat copies have ``DC_a01.wav``.

The texts are not shipped with the audio, so this is a corpus without words.
"""

import re
from pathlib import Path

from ser.base.errors import Faults, SerError
from ser.corpus.parsers.parsing import named_files
from ser.corpus.parsers.roots import find_root, holds
from ser.corpus.utterance import EmotionCorpus, EmotionUtterance

EMOTIONS = {
    "a": "angry",
    "d": "disgust",
    "f": "fearful",
    "h": "happy",
    "n": "neutral",
    "sa": "sad",
    "su": "surprised",
}
SPEAKERS = ("DC", "JE", "JK", "KL")
NAME = re.compile(
    rf"((?P<speaker>{'|'.join(SPEAKERS)})_)?(?P<emotion>{'|'.join(EMOTIONS)})(?P<number>\d\d)"
)
IN_FOLDERS = "[DJK][CEKL]/[adfhns]*[0-9][0-9].*"
IS_ROOT = holds(IN_FOLDERS, f"AudioData/{IN_FOLDERS}", "[DJK][CEKL]_[adfhns]*[0-9][0-9].*")
EXPECTED = "<speaker>/<emotion><number>.wav or <speaker>_<emotion><number>.wav"


def read_savee(root: Path) -> EmotionCorpus:
    """All utterances. Every speaker is a session of its own.

    Raises:
        SerError: The path holds no audio, or a name is not of the scheme.
    """
    utterances = []
    root = find_root(root, EXPECTED, IS_ROOT, SPEAKERS)
    faults = Faults()
    for path, name in named_files(root, "**/*", NAME, EXPECTED):
        with faults.noted():
            speaker = name["speaker"] or path.parent.name
            if speaker not in SPEAKERS:
                raise SerError(
                    f"{path}: the folder '{speaker}' is no speaker; expected one of "
                    f"{' '.join(SPEAKERS)}; remove or rename it"
                )
            original = f"{name['emotion']}{name['number']}"
            utterances.append(
                EmotionUtterance(
                    utt=f"{speaker}-{original}",
                    utt_orig=f"{speaker}_{original}",
                    spk=speaker,
                    gender="m",
                    session=speaker,
                    label=EMOTIONS[name["emotion"]],
                    wav=path,
                    transcript="",
                    attributes={"utt2type": "scripted"},
                )
            )
    faults.raise_any()
    return EmotionCorpus(utterances)
