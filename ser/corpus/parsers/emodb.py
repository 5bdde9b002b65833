"""EmoDB (Burkhardt et al., 2005), German: ``wav/03a01Fa.wav``.

The parts of a name: two digits of the speaker, three of the text, the emotion's German initial, a
letter of the version.
"""

import re
from pathlib import Path

from ser.corpus.parsers.parsing import named_files
from ser.corpus.parsers.roots import find_root, holds
from ser.corpus.utterance import EmotionCorpus, EmotionUtterance
from ser.text.normalise import normalise_transcript

EMOTIONS = {
    "W": "angry",  # Wut
    "L": "bored",  # Langeweile
    "E": "disgust",  # Ekel
    "A": "fearful",  # Angst
    "F": "happy",  # Freude
    "T": "sad",  # Trauer
    "N": "neutral",
}
MEN = {"03", "10", "11", "12", "15"}
WOMEN = {"08", "09", "13", "14", "16"}
TEXTS = {
    "a01": "Der Lappen liegt auf dem Eisschrank",
    "a02": "Das will sie am Mittwoch abgeben",
    "a04": "Heute abend könnte ich es ihm sagen",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück",
    "a07": "In sieben Stunden wird es soweit sein",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen",
}
NAME = re.compile(
    rf"(?P<speaker>{'|'.join(sorted(MEN | WOMEN))})(?P<text>{'|'.join(TEXTS)})"
    rf"(?P<emotion>[{''.join(EMOTIONS)}])(?P<version>[a-z]?)"
)
EXPECTED = "wav/<speaker><text><emotion><version>.wav"


def read_emodb(root: Path) -> EmotionCorpus:
    """All utterances. Every speaker is a session of its own.

    Raises:
        SerError: The path holds no audio, or a name is not of the scheme.
    """
    utterances = []
    root = find_root(root, EXPECTED, holds("wav/[01][0-9][ab][01][0-9][A-Z]*"), ["wav"])
    for path, name in named_files(root, "wav/*", NAME, EXPECTED):
        speaker = name["speaker"]
        utterances.append(
            EmotionUtterance(
                utt=f"{speaker}-{path.stem}",
                utt_orig=path.stem,
                spk=speaker,
                gender="m" if speaker in MEN else "f",
                session=speaker,
                label=EMOTIONS[name["emotion"]],
                wav=path,
                transcript=normalise_transcript(TEXTS[name["text"]]),
                attributes={"utt2scene": name["text"], "utt2type": "scripted"},
            )
        )
    return EmotionCorpus(utterances)
