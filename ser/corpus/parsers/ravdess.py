"""RAVDESS speech (Livingstone & Russo, 2018): ``Actor_01/03-01-05-01-01-01-01.wav`` and so on.

The seven fields of a name: modality, channel, emotion, intensity, statement, repetition, actor.
Any extension of ``ser.audio.reading.EXTENSIONS`` is taken.
"""

import re
from collections import Counter
from pathlib import Path

from ser.base.errors import Faults, SerError
from ser.base.files import is_hidden
from ser.base.log import logger
from ser.corpus.parsers.parsing import audio_files
from ser.corpus.parsers.roots import find_root, holds
from ser.corpus.utterance import EmotionCorpus, EmotionUtterance
from ser.text.normalise import normalise_transcript

EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fearful",
    "07": "disgust",
    "08": "surprised",
}
INTENSITIES = {"01": "normal", "02": "strong"}
STATEMENTS = {
    "01": "Kids are talking by the door",
    "02": "Dogs are sitting by the door",
}
# Audio alone, speech; of all emotions and intensities nobody was asked for strong neutral.
NAME = re.compile(
    r"03-01-(?!01-02)(?P<emotion>0[1-8])-(?P<intensity>0[12])-(?P<statement>0[12])-0[12]"
    r"-(?P<actor>0[1-9]|1\d|2[0-4])",
    re.ASCII,
)
OTHERS = re.compile(r"(?!03-01)0[1-3]-0[12](-\d\d){5}")  # songs, and both as videos
PATTERN = "**/Actor_*/*"
EXPECTED = "Actor_01 to Actor_24"


def read_ravdess(root: Path) -> EmotionCorpus:
    """All speech utterances. Every actor is a session of its own.

    Songs and videos, in the same folders or beside them, are passed over and counted.

    Raises:
        SerError: The path does not exist, holds no actor, or a file's name is not of the scheme.
    """
    found = find_root(root, EXPECTED, holds("Actor_*/03-01-*"), ["Actor_*"])
    root = root if found.is_relative_to(root) else found
    kinds = Counter(
        "songs" if path.stem.startswith("03") else "videos"
        for path in root.glob(PATTERN)
        if OTHERS.fullmatch(path.stem) and not is_hidden(path, root)
    )
    if kinds:
        said = " and ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
        logger.info("%s: passed over %s; the audio of speech is read", root, said)
    faults = Faults()
    utterances = []
    for path in audio_files(root, PATTERN, EXPECTED):
        if not OTHERS.fullmatch(path.stem):
            with faults.noted():
                utterances.append(_read_name(path))
    faults.raise_any()
    return EmotionCorpus(utterances)


def _read_name(path: Path) -> EmotionUtterance:
    name = NAME.fullmatch(path.stem)
    if name is None or path.parent.name != f"Actor_{name['actor']}":
        raise SerError(
            f"{path}: not a name of RAVDESS speech; expected "
            "03-01-<emotion>-<intensity>-<statement>-<repetition>-<actor> in Actor_<actor>: "
            "emotions 01 to 08 (01 of intensity 01 alone), intensities, statements and repetitions "
            "01 and 02, actors 01 to 24; remove or rename it"
        )
    actor, statement = name["actor"], name["statement"]
    return EmotionUtterance(
        utt=f"{actor}-{path.stem}",
        utt_orig=path.stem,
        spk=actor,
        gender="m" if int(actor) % 2 else "f",
        session=str(int(actor)),
        label=EMOTIONS[name["emotion"]],
        wav=path,
        transcript=normalise_transcript(STATEMENTS[statement]),
        attributes={
            "utt2scene": f"statement{statement}",
            "utt2type": "scripted",
            "utt2intensity": INTENSITIES[name["intensity"]],
        },
    )
