"""Corpora in their published layouts: all that names and tables tell, and no other name taken."""

import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from corpora import (
    LABELS,
    MELD_COLUMNS,
    PLANTERS,
    find,
    plant_audio,
    plant_crema_d,
    plant_emodb,
    plant_meld,
    plant_msp_podcast,
    plant_savee,
    plant_tess,
    write_csv,
)

from ser.base.errors import SerError
from ser.config.labels import LabelsConfig
from ser.corpus.parsers.crema_d import read_crema_d
from ser.corpus.parsers.emodb import read_emodb
from ser.corpus.parsers.meld import read_meld
from ser.corpus.parsers.msp_podcast import read_msp_podcast
from ser.corpus.parsers.registry import READERS
from ser.corpus.parsers.savee import read_savee
from ser.corpus.parsers.tess import read_tess
from ser.corpus.prepare import prepare_corpus
from ser.kaldi.data_dir import read_data_dir


def test_crema_d(tmp_path: Path) -> None:
    plant_crema_d(tmp_path)
    corpus = read_crema_d(tmp_path)
    assert len(corpus.utterances) == 61
    assert corpus.excluded == {
        "1064-1064_IEO_DIS_MD": "broken in the release: a minute of every emotion",
        "1064-1064_TIE_SAD_XX": "broken in the release: no duration",
        "1076-1076_MTI_NEU_XX": "broken in the release: next to no audio",
        "1076-1076_MTI_SAD_XX": "broken in the release: no audio",
    }
    u = find(corpus.utterances, "1002_DFA_SAD_HI")
    assert (u.utt, u.spk, u.gender, u.session) == ("1002-1002_DFA_SAD_HI", "1002", "m", "1002")
    assert (u.label, u.transcript) == ("sad", "DON'T FORGET A JACKET")
    assert u.attributes == {
        "utt2scene": "DFA",
        "utt2type": "scripted",
        "utt2intensity": "high",
    }
    assert find(corpus.utterances, "1001_ITH_SAD_X").attributes["utt2intensity"] == "unspecified"
    (tmp_path / "VideoDemographics.csv").unlink()
    assert {u.gender for u in read_crema_d(tmp_path).utterances} == {""}
    write_csv(tmp_path / "VideoDemographics.csv", [("ActorID", "Age"), ("1001", 51)])
    with pytest.raises(SerError, match=r"no column 'Sex' among ActorID, Age"):
        read_crema_d(tmp_path)


def test_emodb(tmp_path: Path) -> None:
    plant_emodb(tmp_path)
    utterances = read_emodb(tmp_path).utterances
    assert Counter(u.label for u in utterances)["neutral"] == 20
    assert Counter(u.gender for u in utterances) == {"m": 40, "f": 40}
    u = find(utterances, "08a01Wa")
    assert (u.utt, u.spk, u.gender, u.label) == ("08-08a01Wa", "08", "f", "angry")
    assert u.transcript == "DER LAPPEN LIEGT AUF DEM EISSCHRANK"


def test_tess(tmp_path: Path) -> None:
    plant_tess(tmp_path)
    utterances = read_tess(tmp_path).utterances
    assert Counter(u.spk for u in utterances) == {"OAF": 15, "YAF": 14}
    u = find(utterances, "OA_bite_neutral")
    assert (u.utt, u.spk, u.label) == ("OAF-bite-neutral", "OAF", "neutral")
    assert u.transcript == "SAY THE WORD BITE"
    assert find(utterances, "YAF_bar_ps").label == "surprised"


@pytest.mark.parametrize("flat", [False, True])
def test_savee(tmp_path: Path, flat: bool) -> None:
    plant_savee(tmp_path)
    if flat:
        for path in list(tmp_path.rglob("*.wav")):
            path.rename(tmp_path / f"{path.parent.name}_{path.name}")
    utterances = read_savee(tmp_path).utterances
    assert len(utterances) == 56
    u = find(utterances, "JK_sa15")
    assert (u.utt, u.spk, u.gender, u.label) == ("JK-sa15", "JK", "m", "sad")
    assert {u.transcript for u in utterances} == {""}


def test_savee_in_a_folder_of_nobody(tmp_path: Path) -> None:
    plant_audio(tmp_path / "XY" / "a01.wav")
    with pytest.raises(SerError, match=r"the folder 'XY' is no speaker"):
        read_savee(tmp_path)


def test_msp_podcast(tmp_path: Path) -> None:
    plant_msp_podcast(tmp_path)
    corpus = read_msp_podcast(tmp_path)
    assert corpus.excluded == {"spk00009-MSP-PODCAST_0009_0001": "no audio"}
    assert Counter(u.attributes["utt2split"] for u in corpus.utterances) == {
        "Train": 21,
        "Development": 7,
        "Test1": 14,
        "Test2": 7,
    }
    u = find(corpus.utterances, "MSP-PODCAST_0001_0001_2")
    assert (u.spk, u.session, u.gender, u.label) == ("spk00002", "0001", "f", "happy")
    assert (u.transcript, u.attributes["utt2vad"]) == ("WELL YES", "3 4.2 5")
    unknown = {u.spk for u in corpus.utterances if u.spk.startswith("unknown")}
    assert len(unknown) == 14  # nobody knows whether two of them are the same


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("EmoClass", "Emotion", "no column 'EmoClass' among FileName, Emotion"),
        (",A,", ",Q,", "labels_consensus.csv:2: MSP-PODCAST_0001_0000_1.wav,Q,.*: not a turn"),
        ("_0001_0000_1.wav", "_0001_0000_1.mp3", "labels_consensus.csv:2: .*: not a turn"),
        (",Train\r\n", "\r\n", "labels_consensus.csv:2: 7 cells; expected 8"),
    ],
)
def test_msp_podcast_faults(tmp_path: Path, old: str, new: str, message: str) -> None:
    plant_msp_podcast(tmp_path)
    table = tmp_path / "Labels" / "labels_consensus.csv"
    table.write_bytes(table.read_bytes().replace(old.encode(), new.encode(), 1))
    with pytest.raises(SerError, match=message):
        read_msp_podcast(tmp_path)


def test_msp_podcast_by_pandas(tmp_path: Path) -> None:
    plant_msp_podcast(tmp_path)
    expected = read_msp_podcast(tmp_path)
    table = tmp_path / "Labels" / "labels_consensus.csv"
    table.write_text(re.sub(r",(\d+),(Fe)?[mM]ale", r",\1.0,\2Male", table.read_text()))
    found = read_msp_podcast(tmp_path)
    assert [u.spk for u in found.utterances] == [u.spk for u in expected.utterances]


@pytest.mark.parametrize("name", ["msp_podcast", "meld"])
def test_rows_that_contradict_each_other(tmp_path: Path, name: str) -> None:
    PLANTERS[name](tmp_path / "corpus")
    for table in (tmp_path / "corpus").rglob("*.csv"):
        text = table.read_text()
        row = "99,Other words.,Joey,joy,neutral,1,0"
        if name == "msp_podcast":
            row = next(line for line in text.splitlines() if ",A," in line).replace(",A,", ",H,")
        table.write_text(f"{text}{row}\n")
    with pytest.raises(SerError, match=r"has two rows that differ \(.*\); expected one"):
        prepare_corpus(name, tmp_path / "corpus", tmp_path / "data", LABELS)


def test_meld(tmp_path: Path) -> None:
    plant_meld(tmp_path)
    corpus = read_meld(tmp_path)
    assert len(corpus.utterances) == 42
    assert corpus.excluded == {
        "Joey-train_dia125_utt3": "audio cut in the release",
        "Joey-dev_dia125_utt3": "no audio",
        "Joey-test_dia125_utt3": "no audio",
    }
    u = find(corpus.utterances, "dev_dia2_utt3")
    assert (u.utt, u.spk, u.session) == ("Dr._Geller-dev_dia2_utt3", "Dr._Geller", "dev_dia2")
    assert (u.label, u.attributes["utt2split"]) == ("happy", "dev")
    assert u.transcript == "OH MY GOD HE'S LOST IT HE'S TOTALLY LOST IT"


@pytest.mark.parametrize(
    ("name", "first"), [("msp_podcast", "MSP-PODCAST_0001_0000_1"), ("meld", "dia")]
)
def test_tables_without_their_audio(tmp_path: Path, name: str, first: str) -> None:
    """An archive that was not unpacked, or into another folder: no word of classes."""
    PLANTERS[name](tmp_path / "corpus")
    files = [path for path in (tmp_path / "corpus").rglob("*") if path.is_file()]
    for path in files:
        if path.suffix not in (".csv", ".txt"):
            path.unlink()
    with pytest.raises(SerError, match=rf"corpus: 0 of \d+ utterances .*{first}.*: no audio\)"):
        prepare_corpus(name, tmp_path / "corpus", tmp_path / "data", LABELS)


def test_meld_speakers_whose_names_begin_alike(tmp_path: Path) -> None:
    plant_meld(tmp_path / "MELD.Raw", speakers=("Joey", "Joey's Doctor"))
    out = tmp_path / "data" / "ser"
    prepare_corpus("meld", tmp_path / "MELD.Raw", out, LABELS)
    assert set(read_data_dir(out)["utt2spk"].values()) == {"Joey", "Joey_s_Doctor"}


def test_meld_faults(tmp_path: Path) -> None:
    with pytest.raises(SerError, match=r"no train_sent_emo.csv in it; expected MELD.Raw"):
        read_meld(tmp_path)
    plant_meld(tmp_path)
    write_csv(tmp_path / "dev_sent_emo.csv", [MELD_COLUMNS, [1, "Hi", "Joey", "glee", "", 1, 0]])
    with pytest.raises(SerError, match=r"dev_sent_emo.csv:2: the emotion 'glee'"):
        read_meld(tmp_path)


EMODB_LABELS = LabelsConfig(
    classes={"ang": ["angry"], "neu": ["neutral"]},
    exclude=["happy", "sad", "disgust", "fearful", "bored"],
)


def plant_bytes(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_a_video_without_sound_is_named(tmp_path: Path) -> None:
    plant_meld(tmp_path, lambda path: plant_bytes(path, b"no video"), ".mp4")
    with pytest.raises(SerError, match=r"dia\d_utt\d.mp4: no sound to read"):
        prepare_corpus("meld", tmp_path, tmp_path / "data" / "ser", LABELS)
    assert not (tmp_path / "data" / "ser").exists()


def test_a_video_without_pyav_is_one_true_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant_meld(tmp_path / "MELD.Raw", lambda path: plant_bytes(path, b"video"), ".mp4")
    monkeypatch.setitem(sys.modules, "av", None)  # as if it were not installed
    with pytest.raises(SerError) as error:
        prepare_corpus("meld", tmp_path / "MELD.Raw", tmp_path / "data" / "ser", LABELS)
    assert str(error.value).endswith(
        ".mp4: soundfile does not read it, but PyAV does: pip install "
        "av; or convert the file to WAV"
    )
    assert not (tmp_path / "data" / "ser").exists()


def test_another_number_of_utterances_than_published_is_told(tmp_path: Path, log: Any) -> None:
    plant_emodb(tmp_path)
    prepare_corpus("emodb", tmp_path, tmp_path / "data" / "ser", EMODB_LABELS)
    assert log.find(r"warning: .*: 80 utterances; the published corpus has 535")


def test_speakers_that_are_kept(tmp_path: Path) -> None:
    plant_emodb(tmp_path)
    out = tmp_path / "data" / "ser"
    prepare_corpus("emodb", tmp_path, out, EMODB_LABELS, ["03", "08"])
    assert set(read_data_dir(out)["utt2spk"].values()) == {"03", "08"}
    assert "speaker not among --speakers" in (out / "excluded.tsv").read_text()
    with pytest.raises(
        SerError, match=r"--speakers 99: no such speaker in .*; expected some of 03"
    ):
        prepare_corpus("emodb", tmp_path, out, EMODB_LABELS, ["99"])


STRAY = {
    "crema_d": "AudioWAV/1001_XXX_ANG_XX.wav",
    "emodb": "wav/99a01Wa.wav",
    "esd": "0012/Angry/hello.wav",
    "savee": "AudioData/DC/x01.wav",
    "tess": "OAF_angry/OAF_back_glad.wav",
}


@pytest.mark.parametrize("name", STRAY)
def test_other_names_are_refused(tmp_path: Path, name: str) -> None:
    PLANTERS[name](tmp_path)
    stray = tmp_path / STRAY[name]
    plant_audio(stray)
    with pytest.raises(SerError, match=f"{re.escape(str(stray))}: not a name of this corpus"):
        READERS[name](tmp_path)


@pytest.mark.parametrize("name", sorted(READERS))
def test_a_missing_corpus_is_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(SerError) as error:
        READERS[name](tmp_path / "none")
    assert "none" in str(error.value)
    assert "\n" not in str(error.value)
