"""CREMA-D (Cao et al., 2014): ``AudioWAV/1001_DFA_ANG_XX.wav`` and ``VideoDemographics.csv``.

The four fields of a name: actor, sentence, emotion, level. 91 actors, 12 sentences.
"""

import re
from pathlib import Path

from ser.corpus.parsers.parsing import named_files, read_rows
from ser.corpus.parsers.roots import find_root, holds
from ser.corpus.utterance import EmotionCorpus, EmotionUtterance
from ser.text.normalise import normalise_transcript

EMOTIONS = {
    "ANG": "angry",
    "DIS": "disgust",
    "FEA": "fearful",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
}
LEVELS = {"LO": "low", "MD": "medium", "HI": "high", "XX": "unspecified", "X": "unspecified"}
SENTENCES = {
    "IEO": "It's eleven o'clock",
    "TIE": "That is exactly what happened",
    "IOM": "I'm on my way to the meeting",
    "IWW": "I wonder what this is about",
    "TAI": "The airplane is almost full",
    "MTI": "Maybe tomorrow it will be cold",
    "IWL": "I would like a new alarm clock",
    "ITH": "I think I have a doctor's appointment",
    "DFA": "Don't forget a jacket",
    "ITS": "I think I've seen this before",
    "TSI": "The surface is slick",
    "WSI": "We'll stop in a couple of minutes",
}
NAME = re.compile(
    rf"(?P<actor>1\d{{3}})_(?P<sentence>{'|'.join(SENTENCES)})_(?P<emotion>{'|'.join(EMOTIONS)})"
    rf"_(?P<level>{'|'.join(LEVELS)})"
)
EXPECTED = "AudioWAV/<actor>_<sentence>_<emotion>_<level>.wav"
# Faulty in the release, as the corpus's own list of issues has it.
BROKEN = {
    "1064_IEO_DIS_MD": "a minute of every emotion",
    "1064_TIE_SAD_XX": "no duration",
    "1076_MTI_NEU_XX": "next to no audio",
    "1076_MTI_SAD_XX": "no audio",
}


def read_crema_d(root: Path) -> EmotionCorpus:
    """All clips. Every actor is a session of its own.

    Raises:
        SerError: The path holds no clip, a name is not of the scheme, or the actors' table lacks
            a column.
    """
    root = find_root(root, EXPECTED, holds("AudioWAV/1[0-9][0-9][0-9]_*"), ["AudioWAV"])
    gender_of = _genders(root / "VideoDemographics.csv")
    utterances, excluded = [], {}
    for path, name in named_files(root, "AudioWAV/*", NAME, EXPECTED):
        actor = name["actor"]
        utt = f"{actor}-{path.stem}"
        if path.stem in BROKEN:
            excluded[utt] = f"broken in the release: {BROKEN[path.stem]}"
            continue
        utterances.append(
            EmotionUtterance(
                utt=utt,
                utt_orig=path.stem,
                spk=actor,
                gender=gender_of.get(actor, ""),
                session=actor,
                label=EMOTIONS[name["emotion"]],
                wav=path,
                transcript=normalise_transcript(SENTENCES[name["sentence"]]),
                attributes={
                    "utt2scene": name["sentence"],
                    "utt2type": "scripted",
                    "utt2intensity": LEVELS[name["level"]],
                },
            )
        )
    return EmotionCorpus(utterances, excluded)


def _genders(path: Path) -> dict[str, str]:
    """Sex of each actor; empty where the table was not downloaded."""
    if not path.exists():
        return {}
    return {
        row["ActorID"]: row["Sex"][:1].lower() for _, row in read_rows(path, ("ActorID", "Sex"))
    }
