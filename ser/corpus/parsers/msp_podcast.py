"""MSP-Podcast (Lotfian & Busso, 2019): ``Labels/labels_consensus.csv`` and the turns it lists.

``Audios/MSP-PODCAST_0001_0008.wav`` and ``Transcripts/MSP-PODCAST_0001_0008.txt``.
"""

import re
from pathlib import Path

from ser.base.errors import Faults, SerError
from ser.base.files import read_text
from ser.corpus.parsers.cells import without_point
from ser.corpus.parsers.parsing import read_rows
from ser.corpus.parsers.roots import find_root, holds
from ser.corpus.utterance import NO_AUDIO, EmotionCorpus, EmotionUtterance
from ser.text.normalise import normalise_transcript

EMOTIONS = {
    "A": "angry",
    "C": "contempt",
    "D": "disgust",
    "F": "fearful",
    "H": "happy",
    "N": "neutral",
    "O": "other",
    "S": "sad",
    "U": "surprised",
    "X": "no_agreement",
}
COLUMNS = ("FileName", "EmoClass", "EmoAct", "EmoVal", "EmoDom", "SpkrID", "Gender", "Split_Set")
FILE = re.compile(r"(MSP-PODCAST_(?P<podcast>\d+)_\w+)\.wav")
# Older releases write "concensus", and some "label" without a capital.
TABLES = "[Ll]abel*/labels_con[cs]ensus.csv"
EXPECTED = "Labels/labels_consensus.csv"
AUDIO_FOLDERS = ("Audios", "Audio")


def read_msp_podcast(root: Path) -> EmotionCorpus:
    """The turns of the consensus table, with its parts as ``utt2split``.

    A turn of an unknown speaker is a speaker of its own; each podcast is a session. Turns whose
    audio is missing are listed as left out.

    Raises:
        SerError: The table or the audio folder is missing, a column is, or a row is not of the
            scheme.
    """
    root = find_root(root, EXPECTED, holds(TABLES), [*AUDIO_FOLDERS, "[Ll]abel*", "Transcripts"])
    tables = sorted(root.glob(TABLES))
    if not tables:
        raise SerError(f"{root}: no {EXPECTED}; expected MSP-Podcast; check db.sh")
    table = tables[0]
    audio = next((root / name for name in AUDIO_FOLDERS if (root / name).is_dir()), None)
    if audio is None:
        raise SerError(f"{root / AUDIO_FOLDERS[0]}: no such folder; expected the turns as WAV")
    files = {path.name.casefold(): path for path in audio.iterdir()}
    utterances, excluded = [], {}
    faults = Faults()
    for line, row in read_rows(table, COLUMNS):
        with faults.noted():
            match = FILE.fullmatch(row["FileName"])
            if not match or row["EmoClass"] not in EMOTIONS or not row["Split_Set"]:
                raise SerError(
                    f"{table}:{line}: {','.join(row.values())}: not a turn; expected "
                    f"MSP-PODCAST_*.wav, one of the classes {' '.join(EMOTIONS)} and a part; fetch "
                    "the table again"
                )
            name = match[1]
            speaker = _speaker(row["SpkrID"], name)
            utt = f"{speaker}-{name}"
            wav = files.get(row["FileName"].casefold())
            if wav is None:
                excluded[utt] = NO_AUDIO
                continue
            utterances.append(
                EmotionUtterance(
                    utt=utt,
                    utt_orig=name,
                    spk=speaker,
                    gender={"Female": "f", "Male": "m"}.get(row["Gender"], ""),
                    session=match["podcast"],
                    label=EMOTIONS[row["EmoClass"]],
                    wav=wav,
                    transcript=_transcript(root / "Transcripts" / f"{name}.txt"),
                    attributes={
                        "utt2split": row["Split_Set"],
                        "utt2type": "natural",
                        "utt2vad": f"{row['EmoVal']} {row['EmoAct']} {row['EmoDom']}",
                    },
                )
            )
    faults.raise_any()
    return EmotionCorpus(utterances, excluded)


def _speaker(spk: str, name: str) -> str:
    number = without_point(spk.strip())
    if number.isdecimal():
        return f"spk{int(number):05d}"
    return f"unknown_{name.removeprefix('MSP-PODCAST_')}"


def _transcript(path: Path) -> str:
    return normalise_transcript(read_text(path)) if path.exists() else ""
