"""Little trees in the published layouts of corpora, of noise, for the tests of their parsers."""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser.audio.reading import read_audio
from ser.config.labels import LabelsConfig
from ser.corpus.utterance import EmotionUtterance

LABELS = LabelsConfig(
    classes={"ang": ["angry"], "hap": ["happy"], "neu": ["neutral"], "sad": ["sad"]},
    exclude=["disgust", "fearful", "surprised", "calm", "bored"],
)
RAMP = np.arange(16000, dtype=np.int16)  # a second whose samples tell where they stand


def plant_audio(path: Path, rate: int = 16000, seconds: float = 0.2) -> None:
    """Noise that is this file's own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(list(path.name.encode()))
    soundfile.write(path, rng.uniform(-0.1, 0.1, int(rate * seconds)), rate)


def samples_of(path: str) -> list[int]:
    """What a file holds at 16 kHz, as 16-bit numbers."""
    return [round(float(sample)) for sample in read_audio(Path(path), "utt", 16000)]


def plant_video(path: Path, with_sound: bool = True) -> None:
    """An MP4 with a second of picture and, mostly, of stereo sound."""
    av = pytest.importorskip("av", reason="PyAV is not installed")
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        picture = container.add_stream("mpeg4", rate=5)
        picture.width, picture.height, picture.pix_fmt = 32, 32, "yuv420p"
        sound = container.add_stream("aac", rate=44100) if with_sound else None
        if sound is not None:
            sound.layout = "stereo"
        for _ in range(5):
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            container.mux(picture.encode(frame))
        container.mux(picture.encode())
        if sound is None:
            return
        rng = np.random.default_rng(list(path.name.encode()))
        for start in range(0, 44100 - 1024, 1024):
            block = rng.uniform(-0.1, 0.1, (2, 1024)).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
            frame.rate, frame.pts = 44100, start
            container.mux(sound.encode(frame))
        container.mux(sound.encode())


def plant_sound(
    path: Path, codec: str, rate: int, options: Mapping[str, str], seconds: float, **tags: str
) -> None:
    """Noise as FFmpeg writes it."""
    av = pytest.importorskip("av", reason="PyAV is not installed")
    with av.open(str(path), "w", options=dict(options)) as container:
        container.metadata.update(tags)
        sound = container.add_stream(codec, rate=rate)
        sound.layout = "mono"
        rng = np.random.default_rng(list(path.name.encode()))
        block = rng.uniform(-0.1, 0.1, (1, int(seconds * rate))).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
        frame.rate, frame.pts = rate, 0
        resampler = av.AudioResampler(
            format=sound.codec_context.format or "fltp",
            layout="mono",
            rate=rate,
            frame_size=sound.codec_context.frame_size or 960,
        )
        for piece in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(sound.encode(piece))
        container.mux(sound.encode())


def write_csv(path: Path, rows: Iterable[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows)


def plant_crema_d(root: Path) -> None:
    """Ten actors, six emotions; the actors' table; the clips that are known to be broken."""
    actors = [1001 + i for i in range(9)] + [1076]
    for actor in actors:
        for emotion in ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD"):
            level = "XX" if emotion != "SAD" else "HI"
            plant_audio(root / "AudioWAV" / f"{actor}_DFA_{emotion}_{level}.wav")
    for name in ("1064_IEO_DIS_MD", "1064_TIE_SAD_XX", "1076_MTI_NEU_XX", "1076_MTI_SAD_XX"):
        plant_audio(root / "AudioWAV" / f"{name}.wav")
    plant_audio(root / "AudioWAV" / "1001_ITH_SAD_X.wav")
    rows = [(a, 40, "Female" if a % 2 else "Male", "", "") for a in actors]
    write_csv(
        root / "VideoDemographics.csv", [("ActorID", "Age", "Sex", "Race", "Ethnicity"), *rows]
    )


def plant_emodb(root: Path) -> None:
    """Ten speakers, seven emotions, some in a second version."""
    for speaker in ("03", "08", "09", "10", "11", "12", "13", "14", "15", "16"):
        for emotion in "WLEAFTN":
            plant_audio(root / "wav" / f"{speaker}a01{emotion}a.wav")
        plant_audio(root / "wav" / f"{speaker}b10Nb.wav")


def plant_tess(root: Path) -> None:
    """Two women, in folders as unevenly named as the published ones."""
    for actor, folders in (
        ("OAF", ("OAF_angry", "OAF_disgust", "OAF_Fear", "OAF_happy", "OAF_neutral")),
        ("YAF", ("YAF_angry", "YAF_disgust", "YAF_fear", "YAF_happy", "YAF_neutral")),
    ):
        for folder in folders:
            for word in ("back", "bar"):
                emotion = folder.split("_")[1].lower()
                plant_audio(root / folder / f"{actor}_{word}_{emotion}.wav")
    for word in ("back", "bar"):
        plant_audio(root / "OAF_Pleasant_surprise" / f"OAF_{word}_ps.wav")
        plant_audio(root / "YAF_pleasant_surprised" / f"YAF_{word}_ps.wav")
        plant_audio(root / "OAF_Sad" / f"OAF_{word}_sad.wav")
        plant_audio(root / "YAF_sad" / f"YAF_{word}_sad.wav")
    plant_audio(root / "OAF_neutral" / "OA_bite_neutral.wav")


def plant_savee(root: Path) -> None:
    """Four men in folders of their own."""
    for speaker in ("DC", "JE", "JK", "KL"):
        for emotion in ("a", "d", "f", "h", "n", "sa", "su"):
            for number in ("01", "15"):
                plant_audio(root / "AudioData" / speaker / f"{emotion}{number}.wav", 44100)
    (root / "AudioData" / "Info.txt").write_text("Speakers\n")


def plant_esd(root: Path) -> None:
    """Two Mandarin speakers in parts, with GB18030 texts, and ten English ones, flat, in UTF-16."""
    blocks = {"Neutral": 0, "Angry": 350, "Happy": 700, "Sad": 1050, "Surprise": 1400}
    for speaker in ["0001", "0002", *(f"{n:04d}" for n in range(11, 21))]:
        lines = []
        for emotion, block in blocks.items():
            for offset, split in ((1, "train"), (21, "evaluation"), (51, "test")):
                name = f"{speaker}_{block + offset:06d}"
                folder = root / speaker / emotion
                plant_audio((folder / split if speaker < "0011" else folder) / f"{name}.wav")
                text = (
                    "打远一看\uff0c它们的确很是美丽\uff0c"
                    if speaker < "0011"
                    else "The nine, the eggs."
                )
                lines.append(f"{name}\t{text}\t{'生气' if speaker < '0011' else emotion}")
        encoding = "gb18030" if speaker < "0011" else "utf-16"
        (root / speaker / f"{speaker}.txt").write_text("\r\n".join(lines), encoding=encoding)


MSP_COLUMNS = "FileName EmoClass EmoAct EmoVal EmoDom SpkrID Gender Split_Set".split()


def plant_msp_podcast(root: Path) -> None:
    """Three parts with speakers of their own, two of them unknown, one turn without audio."""
    rows = []
    for number, (split, speakers) in enumerate(
        {
            "Train": ("1", "2", "Unknown"),
            "Development": ("3",),
            "Test1": ("4", "Unknown"),
            "Test2": ("5",),
        }.items(),
        start=1,
    ):
        for speaker in speakers:
            for turn, emotion in enumerate("AHNSUOX"):
                name = f"MSP-PODCAST_{number:04d}_{turn:04d}_{speaker}"
                rows.append([f"{name}.wav", emotion, 4.2, 3, 5, speaker, "Female", split])
                plant_audio(root / "Audios" / f"{name}.wav")
                text = root / "Transcripts" / f"{name}.txt"
                text.parent.mkdir(exist_ok=True)
                text.write_text("Well, yes.\n")
    rows.append(["MSP-PODCAST_0009_0001.wav", "N", 4, 4, 4, "9", "Male", "Train"])
    write_csv(root / "Labels" / "labels_consensus.csv", [MSP_COLUMNS, *rows])


MELD_COLUMNS = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID".split(",")
MELD_EMOTIONS = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
MELD_FOLDERS = {
    "train": "train/train_splits",
    "dev": "dev/dev_splits_complete",
    "test": "test/output_repeated_splits_test",
}


def plant_meld(
    root: Path,
    write: Callable[[Path], None] = plant_audio,
    suffix: str = ".wav",
    speakers: Sequence[str] = ("Joey", "Dr. Geller"),
) -> None:
    """Three parts with the same speakers; a turn known to be truncated, one without a video."""
    for part, folder in MELD_FOLDERS.items():
        rows = []
        for turn, emotion in enumerate(MELD_EMOTIONS):
            for dialogue, speaker in enumerate(speakers, start=1):
                said = "Oh my God, he\x92s lost it\x85 He\x92s\ntotally lost it."
                rows.append([turn + 1, said, speaker, emotion, "neutral", dialogue, turn])
                write(root / folder / f"dia{dialogue}_utt{turn}{suffix}")
        rows.append([99, "Cut.", "Joey", "joy", "positive", 125, 3])
        if part == "train":
            write(root / folder / f"dia125_utt3{suffix}")
        (root / folder / f"._dia1_utt0{suffix}").write_bytes(b"AppleDouble")
        above = root if part != "train" else root / "train"
        write_csv(above / f"{part}_sent_emo.csv", [MELD_COLUMNS, *rows])


def plant_ravdess(root: Path) -> None:
    """Ten actors, eight emotions, two sentences."""
    for actor in (f"{number:02d}" for number in range(1, 11)):
        for emotion in (f"{number:02d}" for number in range(1, 9)):
            for sentence in ("01", "02"):
                name = f"03-01-{emotion}-01-{sentence}-01-{actor}.wav"
                plant_audio(root / f"Actor_{actor}" / name, 48000)


PLANTERS = {
    "crema_d": plant_crema_d,
    "emodb": plant_emodb,
    "esd": plant_esd,
    "meld": plant_meld,
    "msp_podcast": plant_msp_podcast,
    "ravdess": plant_ravdess,
    "savee": plant_savee,
    "tess": plant_tess,
}


def find(utterances: list[EmotionUtterance], orig: str) -> EmotionUtterance:
    """The one utterance of an original name."""
    (found,) = (u for u in utterances if u.utt_orig == orig)
    return found
