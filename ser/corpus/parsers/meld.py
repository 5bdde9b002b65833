"""MELD (Poria et al., 2019): turns of the series Friends, as video, in the corpus's own parts.

``train_sent_emo.csv`` (beside the videos or above them) with ``train_splits/dia0_utt0.mp4``, and
so on for ``dev`` and ``test``. A turn may also be an audio file of the same name.
"""

from pathlib import Path

from ser.audio.reading import EXTENSIONS
from ser.base.errors import Faults, SerError, first_few
from ser.base.files import digest_file, is_hidden
from ser.corpus.parsers.cells import without_point
from ser.corpus.parsers.parsing import read_rows, speaker_word
from ser.corpus.parsers.roots import find_root, holds
from ser.corpus.utterance import NO_AUDIO, EmotionCorpus, EmotionUtterance
from ser.text.normalise import normalise_transcript

EMOTIONS = {
    "anger": "angry",
    "disgust": "disgust",
    "fear": "fearful",
    "joy": "happy",
    "neutral": "neutral",
    "sadness": "sad",
    "surprise": "surprised",
}
PARTS = {
    "train": "train_splits",
    "dev": "dev_splits_complete",
    "test": "output_repeated_splits_test",
}
COLUMNS = ("Utterance", "Speaker", "Emotion", "Dialogue_ID", "Utterance_ID")
# Cut in the release, as its users found.
BROKEN = {"train_dia125_utt3"}


def read_meld(root: Path) -> EmotionCorpus:
    """The turns of all three parts, which share their speakers; ``utt2split`` has the part.

    Raises:
        SerError: A table or a folder is missing, a column is, or an emotion is none of MELD's.
    """
    root = find_root(
        root, "the tables of all three parts", _has_all_tables, [*PARTS, *PARTS.values()]
    )
    utterances: list[EmotionUtterance] = []
    excluded: dict[str, str] = {}
    faults = Faults()
    for part, folder in PARTS.items():
        table = _find(root, f"{part}_sent_emo.csv")
        files = {
            path.stem: path
            for path in sorted(_find(root, folder).iterdir())
            if path.suffix.lower() in {".mp4", *EXTENSIONS} and not is_hidden(path, root)
        }
        for line, row in read_rows(table, COLUMNS):
            with faults.noted():
                if row["Emotion"] not in EMOTIONS:
                    raise SerError(
                        f"{table}:{line}: the emotion '{row['Emotion']}'; expected one of "
                        f"{' '.join(EMOTIONS)}; fetch the table again"
                    )
                dialogue, number = map(without_point, (row["Dialogue_ID"], row["Utterance_ID"]))
                turn = f"dia{dialogue}_utt{number}"
                name = f"{part}_{turn}"
                speaker = speaker_word(row["Speaker"])
                utt = f"{speaker}-{name}"
                if turn not in files or name in BROKEN:
                    excluded[utt] = "audio cut in the release" if turn in files else NO_AUDIO
                    continue
                utterances.append(
                    EmotionUtterance(
                        utt=utt,
                        utt_orig=name,
                        spk=speaker,
                        gender="",
                        session=f"{part}_dia{dialogue}",
                        label=EMOTIONS[row["Emotion"]],
                        wav=files[turn],
                        transcript=normalise_transcript(row["Utterance"]),
                        attributes={"utt2split": part, "utt2type": "scripted"},
                    )
                )
    faults.raise_any()
    return EmotionCorpus(utterances, excluded)


def _has_all_tables(folder: Path) -> bool:
    names = [f"{part}_sent_emo.csv" for part in PARTS]
    return all(holds(name, f"*/{name}", f"*/*/{name}")(folder) for name in names)


def _find(root: Path, name: str) -> Path:
    """A file or folder by its name, wherever an unpacked archive put it."""
    found = sorted(path for path in root.rglob(name) if not is_hidden(path, root))
    if not found:
        raise SerError(
            f"{root}: no {name} in it; expected MELD.Raw with its three archives unpacked; unpack "
            "them, or check the path in db.sh"
        )
    if len({digest_file(path) if path.is_file() else str(path) for path in found}) > 1:
        raise SerError(
            f"{root}: {len(found)} of {name} that differ: {first_few(found)}; expected one; "
            "set the path in db.sh to the folder of one"
        )
    return found[0]
