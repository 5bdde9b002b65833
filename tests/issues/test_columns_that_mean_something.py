"""Columns of a table that mean something are not taken for mere attributes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ser.audio.reading import read_audio
from ser.base.errors import SerError
from ser.config.labels import LabelsConfig
from ser.corpus.parsers.table import read_table_corpus
from ser.corpus.prepare import prepare_table
from ser.kaldi.data_dir import read_data_dir

LABELS = LabelsConfig(classes={"ang": ["angry"], "sad": ["sad"]}, exclude=[])
RATE = 16000


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Two files of 8 s whose samples tell their place."""
    for name in ("a", "b"):
        samples = np.linspace(-0.5, 0.5, 8 * RATE) + (name == "b") / 100
        soundfile.write(tmp_path / f"{name}.wav", samples, RATE, subtype="FLOAT")
    return tmp_path


def write(folder: Path, *lines: str) -> Path:
    (folder / "t.csv").write_text("".join(f"{line}\n" for line in lines))
    return folder / "t.csv"


@pytest.mark.parametrize(
    ("header", "two", "three_and_a_half"),
    [
        ("path,start,end,label,speaker", "2.0", "3.5"),
        ("file,start,end,emotion,speaker", "0 days 00:00:02", "0 days 00:00:03.500000"),
        ("File Name,Start,End,Label,Speaker", "0:02", "0:00:03.5"),
        ("wav,onset,offset,label,spk", "2", "3.5"),
        ("path,start,duration,label,speaker", "2.0", "1.5"),
        ("path,offset,duration,label,speaker", "2.0", "1.5"),  # as NeMo has it
    ],
)
def test_pieces_are_cut(recordings: Path, header: str, two: str, three_and_a_half: str) -> None:
    table = write(
        recordings,
        header,
        f"a.wav,{two},{three_and_a_half},angry,s1",
        f"a.wav,0,{'1' if 'duration' in header else '1.0'},sad,s1",
        f"b.wav,{two},{three_and_a_half},sad,s2",
    )
    prepare_table(table, recordings / "data", LABELS)
    data = read_data_dir(recordings / "data")
    assert set(data.utts) == {
        "s1-a-0002000-0003500",
        "s1-a-0000000-0001000",
        "s2-b-0002000-0003500",
    }
    assert float(data["utt2dur"]["s1-a-0002000-0003500"]) == 1.5
    piece = read_audio(Path(data["wav.scp"]["s1-a-0002000-0003500"]), "u", RATE)
    whole, _ = soundfile.read(recordings / "a.wav", dtype="float32")
    assert np.abs(piece / 32768 - whole[2 * RATE : round(3.5 * RATE)]).max() < 1e-5


def test_an_offset_alone_is_refused(recordings: Path) -> None:
    table = write(recordings, "path,offset,label,speaker", "a.wav,2.0,angry,s1")
    with pytest.raises(SerError, match=r"t\.csv: the column 'offset' is .*, or a start to some"):
        read_table_corpus(table)


def test_a_duration_where_a_row_has_no_end(recordings: Path) -> None:
    table = write(recordings, "path,start,end,duration,label,speaker", "a.wav,2,,1.5,angry,s1")
    (utterance,) = read_table_corpus(table)
    assert utterance.clip is not None and utterance.clip.end == 3.5


def test_no_time_is_the_whole_file_or_its_end(recordings: Path, log: Any) -> None:
    table = write(
        recordings,
        "path,start,end,label,speaker",
        "a.wav,0.0,NaT,angry,s1",
        "b.wav,6,,sad,s2",
    )
    whole, rest = read_table_corpus(table)
    assert whole.clip is None and whole.utt == "s1-a"
    assert rest.clip is not None and rest.clip.end is None and rest.utt == "s2-b-0006000-end"
    assert log.find("warning: .*1 pieces .s2-b-0006000-end the first. have no end")
    assert log.find("warning: .*1 of 2 utterances .s1-a the first. are whole files, beside pieces")
    prepare_table(table, recordings / "data", LABELS)
    assert float(read_data_dir(recordings / "data")["utt2dur"]["s2-b-0006000-end"]) == 2


def test_words_by_their_other_names_and_what_is_kept(recordings: Path, log: Any) -> None:
    table = write(
        recordings, "path,label,speaker,Transcript,Sex,room", "a.wav,angry,s1,Go away,F,kitchen"
    )
    (only,) = read_table_corpus(table)
    assert (only.transcript, only.gender) == ("GO AWAY", "f")
    assert only.attributes == {"utt2room": "kitchen"}
    assert log.find(f"{table}: kept as they are: the columns room")


def test_a_column_of_the_very_name_goes_first(recordings: Path) -> None:
    table = write(recordings, "path,label,emotion,speaker", "a.wav,angry,very,s1")
    (only,) = read_table_corpus(table)
    assert only.label == "angry" and only.attributes == {"utt2emotion": "very"}


@pytest.mark.parametrize(
    ("header", "row", "said"),
    [
        ("file,wav,label,speaker", "a.wav,a.wav,sad,s", "'file' and 'wav' both mean 'path'"),
        ("path,start_ms,end_ms,label,speaker", "a.wav,1,2,sad,s", "the column 'start_ms' is a pl"),
        ("path,start,end,label,speaker", "a.wav,3,2,sad,s", "t.csv:2: from 3 to 2 s; expected an"),
        ("path,start,end,label,speaker", "a.wav,x,2,sad,s", "t.csv:2: the start 'x'; expected sec"),
        ("path,start,end,label,speaker", "a.wav,-1,2,sad,s", "t.csv:2: the start '-1'"),
        ("path,start,end,label,speaker", "a.wav,1,1e306,sad,s", "t.csv:2: the end '1e306'; exp"),
        (
            "path,start,duration,label,speaker",
            "a.wav,,1.5,sad,s",
            "t.csv:2: a duration of 1.5 s without a start; expected both",
        ),
        (
            "path,start,end,label,speaker",
            "b.wav,7,9.5,sad,s\na.wav,,,angry,t",
            "the piece from 7.0 to 9.5 s",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(
    recordings: Path, header: str, row: str, said: str
) -> None:
    with pytest.raises(SerError) as caught:
        prepare_table(write(recordings, header, row), recordings / "data", LABELS)
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert not (recordings / "data").exists()


def test_names_of_tables_in_any_case(recordings: Path, log: Any) -> None:
    """The audit reads utt2scene, and stage 0 looks at utt2votes."""
    table = write(
        recordings,
        "Path,Label,Speaker,Scene,VOTES,Mood",
        "a.wav,angry,s1,kitchen,E1=angry,dark",
        "b.wav,sad,s2,garden,E1=sad,light",
    )
    one, _ = read_table_corpus(table)
    assert log.find("columns are read under other names: Scene as scene, VOTES as votes$")
    expected = {"utt2scene": "kitchen", "utt2votes": "E1=angry", "utt2Mood": "dark"}
    assert one.attributes == expected


def test_all_wrong_votes_and_genders_are_told_before_audio_is_cut(recordings: Path) -> None:
    table = write(
        recordings,
        "path,start,end,label,speaker,votes",
        "a.wav,0,1,angry,s1,happy",
        "b.wav,1,2,sad,s2,angry;sad",
    )
    with pytest.raises(SerError) as caught:
        prepare_table(table, recordings / "data" / "ser", LABELS)
    assert str(caught.value).count("; expected votes such as E1=ang") == 2
    assert not (recordings / "data").exists()
    table = write(
        recordings,
        "path,start,end,label,speaker,gender",
        *("a.wav,0,1,angry,s1,f", "a.wav,1,2,sad,s1,m", "a.wav,2,3,sad,s1,m"),
    )
    said = "s1-a-0001000-0002000: the speaker s1 is m here and f in s1-a-0000000-0001000; expected"
    with pytest.raises(SerError, match=said) as caught:
        prepare_table(table, recordings / "data" / "ser", LABELS)
    assert "\n" not in str(caught.value) and not (recordings / "data").exists()
    table = write(
        recordings,
        "path,label,speaker,gender,votes",
        *("a.wav,angry,s1,f,E1=angry", "b.wav,sad,s2,m,E1=sad", "a.wav,angry,s1,f,E1=angry"),
    )
    left_out = LabelsConfig(classes={"ang": ["angry"], "sad": ["sad"]}, exclude=["unclear"])
    soundfile.write(recordings / "c.wav", np.sin(np.arange(RATE)) / 2, RATE)
    with table.open("a") as rows:
        rows.write("c.wav,unclear,s1,m,n/a\n")
    prepare_table(table, recordings / "data" / "ser", left_out)
    assert len(read_data_dir(recordings / "data" / "ser").utts) == 2
