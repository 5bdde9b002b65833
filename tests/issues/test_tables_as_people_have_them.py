"""Tables as Excel, pandas and people write them: the same corpus, or one clear line."""

from pathlib import Path
from typing import Any

import pytest
from corpora import plant_audio

from ser.base.errors import SerError
from ser.config.labels import LabelsConfig
from ser.corpus.parsers.table import read_table_corpus
from ser.corpus.prepare import prepare_table
from ser.corpus.utterance import EmotionUtterance
from ser.kaldi.data_dir import read_data_dir

LABELS = LabelsConfig(classes={"ang": ["angry"], "sad": ["sad"]}, exclude=[])
HEADER = "path,label,speaker,text"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three files."""
    for name in ("a", "b", "c"):
        plant_audio(tmp_path / "wavs" / f"{name}.wav")
    return tmp_path


def read(folder: Path, *lines: str, name: str = "t.csv") -> list[EmotionUtterance]:
    (folder / name).write_bytes("\n".join(lines).encode())
    return read_table_corpus(folder / name)


def refused(folder: Path, *lines: str) -> str:
    with pytest.raises(SerError) as caught:
        read(folder, *lines)
    return str(caught.value)


PLAIN = (HEADER, 'wavs/a.wav,angry,anna,"Go, now!"', "wavs/b.wav,sad,ben,It is gone")
SEMICOLONS = "';' stands between the cells, not ','"
INDEX = "not read: 1 columns without a name"
# What is written, and what is told of it.
WRITTEN = {
    "by Excel, with a byte-order mark": (
        ["\ufeff" + HEADER + "\r", *(f"{line}\r" for line in PLAIN[1:])],
        "",
    ),
    "by Excel where the comma is decimal": (
        [
            "path;label;speaker;text",
            "wavs/a.wav;angry;anna;Go, now!",
            'wavs/b.wav;sad;ben;"It is gone"',
        ],
        SEMICOLONS,
    ),
    "by Excel, with the line that says so": (
        [
            "\ufeffsep=;",
            "path;label;speaker;text",
            "wavs/a.wav;angry;anna;Go, now!",
            "wavs/b.wav;sad;ben;It is gone",
        ],
        SEMICOLONS,
    ),
    "with empty columns and rows to the end": (
        [
            "path;label;speaker;text;;",
            "wavs/a.wav;angry;anna;Go, now!;;",
            ";;;;;",
            "wavs/b.wav;sad;ben;It is gone;;",
            ";;;;;",
            "",
        ],
        "not read: 2 columns without a name",
    ),
    "with tabs": (
        [
            "path\tlabel\tspeaker\ttext",
            "wavs/a.wav\tangry\tanna\tGo, now!",
            "wavs/b.wav\tsad\tben\tIt is gone",
        ],
        r"'\\t' stands between the cells, not ','",
    ),
    "by pandas, with its index": (
        [
            ",path,label,speaker,text",
            '0,wavs/a.wav,angry,anna,"Go, now!"',
            "1,wavs/b.wav,sad,ben,It is gone",
        ],
        INDEX,
    ),
    "by pandas, read and written": (
        [
            f"Unnamed: 0,{HEADER}",
            '0,wavs/a.wav,angry,anna,"Go, now!"',
            "1,wavs/b.wav,sad,ben,It is gone",
        ],
        INDEX,
    ),
    "in capitals": (["PATH,Label,SPEAKER,Text", *PLAIN[1:]], ""),
    "with blanks at the ends": (
        [
            " path , label,speaker ,text",
            'wavs/a.wav ,angry  , anna,"Go, now! "',
            "wavs/b.wav,sad\u00a0,ben,It is gone",
        ],
        "",
    ),
    "on Windows": (
        [
            HEADER,
            'wavs\\a.wav,angry,anna,"Go, now!"',
            ".\\wavs\\b.wav,sad,ben,It is gone",
        ],
        "",
    ),
    "with rows twice": ([*PLAIN, PLAIN[2], PLAIN[1]], "warning: .*: 2 rows occur twice; each is"),
}


@pytest.mark.parametrize("way", WRITTEN)
def test_it_is_the_same_corpus(folder: Path, way: str, log: Any) -> None:
    expected = read(folder, *PLAIN)
    assert [u.transcript for u in expected] == ["GO NOW", "IT IS GONE"]
    assert not log.find("")
    lines, told = WRITTEN[way]
    assert read(folder, *lines) == expected
    assert log.find(told) if told else not log.find("")


def test_paths_of_a_home_and_whole_ones(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    rows = ["~/wavs/a.wav,angry,anna", f"{folder}/wavs/b.wav,sad,ben"]
    found = read(folder, "path,label,speaker", *rows)
    assert [u.wav for u in found] == [folder / "wavs/a.wav", folder / "wavs/b.wav"]
    assert [u.utt for u in found] == ["anna-a", "ben-b"]


def test_faults_of_a_kind_are_told_at_once(folder: Path) -> None:
    rows = ["C:\\x\\a.wav,angry,anna,", "no.wav,sad,anna,", "wavs/a.wav,,anna,", "wavs/b.wav,,b,"]
    said = refused(folder, HEADER, *rows)
    assert said.startswith("4 faults:")
    assert f"{folder}/t.csv:2: C:\\x\\a.wav, a path of Windows: no such file; expected" in said
    assert f"{folder}/t.csv:3: {folder}/no.wav: no such file; expected audio; paths are" in said
    assert said.endswith(f"{folder}/t.csv:5: no label; expected a value; fill it in")
    said = refused(folder, HEADER, "wavs/a.wav,sad", "wavs/b.wav,sad,b,,")
    assert "t.csv:2: 2 cells; " in said and "t.csv:3: 5 cells; expected 4, as the header" in said


def test_labels_outside_the_map_are_told_at_once(folder: Path) -> None:
    read(folder, HEADER, "wavs/a.wav,Angry,s,", "wavs/b.wav,SAD,s,", "wavs/c.wav,Angry,s,")
    with pytest.raises(SerError) as caught:
        prepare_table(folder / "t.csv", folder / "data", LABELS)
    _, angry, sad = str(caught.value).splitlines()
    assert "labels.yaml: the label 'Angry' of s-wavs_a and 1 more: neither in a class" in angry
    assert angry.endswith("(is it 'angry'?)")
    assert "the label 'SAD' of s-wavs_b: neither" in sad and sad.endswith("(is it 'sad'?)")


def test_numbers_as_labels_and_speakers(folder: Path, log: Any) -> None:
    """1 is 1.0 to pandas where another row has none: neither another class nor person."""
    rows = ["wavs/a.wav,0,1,", "wavs/b.wav,1.0,1.0,", "wavs/c.wav,0.0,13,"]
    read(folder, HEADER, *rows)
    labels = LabelsConfig(classes={"ang": ["0"], "sad": ["1"]}, exclude=[])
    prepare_table(folder / "t.csv", folder / "data", labels)
    data = read_data_dir(folder / "data")
    assert data["spk2utt"] == {"1": "1-wavs_a 1-wavs_b", "13": "13-wavs_c"}
    assert list(data["utt2emo"].values()) == ["ang", "sad", "ang"]
    assert log.find("t.csv: whole numbers are read without their '.0': label, speaker")


@pytest.mark.parametrize("column", ["speaker", "session"])
def test_a_zero_in_front_makes_no_other_person(folder: Path, column: str) -> None:
    header = "path,label,speaker,session" if column == "session" else "path,label,speaker"
    before = "s," if column == "session" else ""
    rows = [
        f"wavs/{n}.wav,sad,{before}{value}"
        for n, value in zip("abc", ("1", "01", "001"), strict=True)
    ]
    said = refused(folder, header, *rows)
    assert f"t.csv:3: the {column}s '1' and '01'; expected" in said
    assert f"t.csv:4: the {column}s '1' and '001'; expected" in said
    assert "and letters that look alike: else one person stands on both sides of a fold" in said
    alone = read(folder, header, rows[1])
    assert getattr(alone[0], {"speaker": "spk"}.get(column, column)) == "01"


def test_nan_is_no_value(folder: Path, log: Any) -> None:
    header = "path,label,speaker,text,session,gender,room"
    rows = ["wavs/a.wav,angry,Nan,nan,NaN,nan,nan", "wavs/b.wav,sad,ben,Nan said no,1,m,<NA>"]
    first, second = read(folder, header, *rows)
    assert (first.transcript, first.session, first.gender) == ("", "Nan", "")
    assert first.attributes == second.attributes == {"utt2room": ""}
    assert second.transcript == "NAN SAID NO"
    assert log.find("t.csv: 5 cells of NaN are read as empty, the first in line [0-9]+ ")
    assert log.find("1 of 2 rows have no session")
    said = refused(folder, HEADER, "wavs/a.wav,nan,anna,", "wavs/b.wav,NaN,ben,")
    assert "t.csv:2: no label; expected" in said and "t.csv:3: no label; expected" in said
    assert "t.csv:2: no speaker" in refused(folder, HEADER, "wavs/a.wav,sad,nan,")


@pytest.mark.parametrize(
    ("again", "said"),
    [
        ("wavs/a.wav,sad,anna,", "the label 'sad' of the audio that has 'angry' in line 2; expec"),
        (
            "./wavs/../wavs/a.wav,sad,anna,",
            "the label 'sad' of the audio that has 'angry' in line 2",
        ),
        ("wavs/a.wav,angry,ben,", "the speaker 'ben' of the audio that has 'anna' in line 2; ex"),
        ("wavs/a.wav,angry,anna,Stay", "the id anna-wavs_a is also that of line 2; expected each"),
    ],
)
def test_rows_that_contradict_each_other(folder: Path, again: str, said: str) -> None:
    message = refused(folder, HEADER, "wavs/a.wav,angry,anna,Go", again, again)
    assert f"t.csv:3: {said}" in message and f"t.csv:4: {said}" in message


def test_pieces_of_one_file_do_not_contradict(folder: Path) -> None:
    header, rows = "path,label,speaker,start,end", ["wavs/a.wav,{},s,{},{}"] * 2
    found = read(folder, header, rows[0].format("sad", 0, 0.1), rows[1].format("angry", 0.1, 0.2))
    assert len(found) == 2
