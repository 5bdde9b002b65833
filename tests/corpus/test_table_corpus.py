"""A corpus that is a CSV or TSV: what is taken as it is, and what is refused in a line."""

import csv
from pathlib import Path
from typing import Any, Literal
from unicodedata import normalize

import numpy as np
import pytest
import soundfile

from ser.base.errors import SerError
from ser.base.record import require
from ser.config.labels import LabelsConfig
from ser.corpus.parsers.table import read_table_corpus
from ser.corpus.prepare import prepare_table
from ser.kaldi.data_dir import read_data_dir

HEADER = ["path", "label", "speaker"]
LABELS = LabelsConfig(classes={"hap": ["joy"], "sad": ["sad"]}, exclude=["fear"])


def plant(folder: Path, *names: str) -> None:
    for i, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.full(1600, i / 100), 16000)


def write(path: Path, *rows: list[str]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, delimiter="," if path.suffix == ".csv" else "\t").writerows(rows)
    return path


def test_everything_that_a_table_tells(tmp_path: Path) -> None:
    plant(tmp_path, "a/1.wav", "a/2.wav")
    table = write(
        tmp_path / "corpus.csv",
        ["path", "label", "speaker", "text", "session", "gender", "scene"],
        ["a/1.wav", "joy", "Zoë Müller", 'Well, "yes"!\nTwo lines', "1", "female", "kitchen"],
        [str(tmp_path / "a/2.wav"), "sad", "p2", "", "1", "M", ""],
    )
    first, second = read_table_corpus(table)
    assert (first.utt, first.utt_orig, first.spk) == ("Zoë_Müller-a_1", "a_1", "Zoë_Müller")
    assert (first.label, first.session, first.gender) == ("joy", "1", "f")
    assert first.transcript == "WELL YES TWO LINES"
    assert first.attributes == {"utt2scene": "kitchen"}
    assert first.wav == tmp_path / "a/1.wav"
    assert (second.gender, second.transcript) == ("m", "")


def test_the_least_that_it_must_tell(tmp_path: Path) -> None:
    plant(tmp_path, "x 1.wav")
    table = write(tmp_path / "t.tsv", ["speaker", "path", "label"], ["s", "x 1.wav", "joy"])
    (only,) = read_table_corpus(table)
    assert (only.utt, only.session, only.gender, only.transcript) == ("s-x_1", "s", "", "")


def test_a_row_without_session_is_in_nobody_elses(tmp_path: Path, log: Any) -> None:
    """Speaker 3 is not in session 3; nor do annotators go from the agreement without a word."""
    plant(tmp_path, "1.wav", "2.wav", "3.wav")
    table = write(
        tmp_path / "t.csv",
        ["path", "Label", "emotion_raw", "speaker", "session", "votes"],
        ["1.wav", "joy", "x", "1", "3", "E1=joy"],
        ["2.wav", "sad", "x", "2", "3", "F1=sad M2=joy"],
        ["3.wav", "sad", "x", "3", "", ""],
    )
    first, second, third = read_table_corpus(table)
    assert first.session == second.session != third.session
    assert log.find("1 of 3 rows have no session .line 4 the first.")
    assert log.find("the annotators F1, M2 count as speakers who vote on themselves")
    assert not log.find("read under other names")


@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
@pytest.mark.parametrize("in_table", ["NFC", "NFD"])
def test_letters_with_marks_are_written_in_either_way(
    tmp_path: Path, on_disk: Literal["NFC", "NFD"], in_table: Literal["NFC", "NFD"]
) -> None:
    plant(tmp_path, normalize(on_disk, "é1.wav"), "2.wav")
    table = write(
        tmp_path / "t.csv",
        HEADER,
        [normalize(in_table, "é1.wav"), "joy", normalize("NFC", "Zoë")],
        ["2.wav", "sad", normalize("NFD", "Zoë")],
    )
    first, second = read_table_corpus(table)
    assert first.spk == second.spk == normalize("NFC", "Zoë")
    assert first.utt == normalize("NFC", "Zoë-é1")
    assert first.wav.is_file()


def test_ids_hold_no_folder_of_the_machine(tmp_path: Path) -> None:
    """Absolute paths: the same corpus in another place has the same ids."""
    ids = []
    for place in ("here", "over there/again"):
        names = ("anna/a b.wav", "anna/c.wav", "ben/c.d.wav")
        plant(tmp_path / place, *names)
        rows = [[str(tmp_path / place / name), "joy", "s"] for name in names]
        table = write(tmp_path / "t.csv", HEADER, *rows, ["own.wav", "sad", "s"])
        plant(tmp_path, "own.wav")
        ids.append([utterance.utt for utterance in read_table_corpus(table)])
    assert ids[0] == ids[1] == ["s-anna_a_b", "s-anna_c", "s-ben_c.d", "s-own"]
    for slashes in ("", "/"):
        row = [f"{slashes}{tmp_path / 'own.wav'}", "sad", "s"]
        alone = read_table_corpus(write(tmp_path / "t.csv", HEADER, row))
        assert [utterance.utt for utterance in alone] == ["s-own"]


def test_a_path_that_leads_nowhere(tmp_path: Path) -> None:
    with pytest.raises(SerError, match="kaldi: no such file or folder; expected a"):
        read_table_corpus(tmp_path / "kaldi")


def test_speakers_whose_names_begin_alike(tmp_path: Path) -> None:
    """Kaldi's two orders agree whatever the names, whichever mark stands in them."""
    speakers = ["anna", "anna-b", "anna+c", "anna's", "anna.d", "annab", "ann", "añna"]
    rows = []
    for i, speaker in enumerate(speakers):
        plant(tmp_path, f"{i}/z.wav", f"{i}/1.wav")
        rows += [[f"{i}/z.wav", "joy", speaker], [f"{i}/1.wav", "sad", speaker]]
    prepare_table(write(tmp_path / "t.csv", HEADER, *rows), tmp_path / "data", LABELS)
    data = read_data_dir(tmp_path / "data")
    assert len(set(data["utt2spk"].values())) == len(speakers)
    assert "anna_b" in data["utt2spk"].values()


def test_quotes_between_tabs_are_text(tmp_path: Path) -> None:
    plant(tmp_path, "1.wav")
    table = tmp_path / "t.tsv"
    table.write_text('path\tlabel\tspeaker\ttext\n1.wav\tjoy\ts\t"Yes," he said\n')
    (only,) = read_table_corpus(table)
    assert only.transcript == "YES HE SAID"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.txt", "path,label,speaker\n", "t.txt: expected a .csv or .tsv file"),
        ("t.csv", "", "t.csv: no column 'path' among ; expected path, label, speaker"),
        ("t.csv", "path,speaker\n", "no column 'label' among path, speaker"),
        ("t.csv", "path,label,speaker,my note\n1.wav,joy,s,x\n", "the column 'my note' is no word"),
        ("t.csv", "path,label,speaker,text,text\n", "the column 'text' occurs twice"),
        ("t.csv", "path,label,speaker,gender\n1.wav,joy,s,x\n", "t.csv:2: the gender 'x'"),
        (
            "t.csv",
            'path,label,speaker\n1.wav,joy,s\n"1.wav,joy,s\n1.wav,joy,s\n',
            "t.csv:3: not a table (unexpected end of data); expected quotes in pairs around a cell",
        ),
        (
            "t.csv",
            'path,label,speaker\n"1.wav,joy,s\n1.wav,"joy,s\n',
            "t.csv:2: not a table (',' expected after '\"'); expected quotes in pairs",
        ),
        ("t.csv", "path,label,speaker\n", "t.csv: 0 rows below the header; expected one for each"),
        (
            "t.csv",
            "path,label,speaker\n1.wav,joy,/\n",
            "t.csv:2: the speaker is empty; expected a name",
        ),
        (
            "t.csv",
            "path,label,speaker,session\n1.wav,joy,s,..\n",
            "t.csv:2: the session '..' is no name of a file; expected a word",
        ),
        (
            "t.csv",
            "path,label,speaker\nx/1.wav,joy,s\nx_1.wav,joy,s\n",
            "t.csv:3: the id s-x_1 is also that of line 2; expected each once; remove one, or tell "
            "them apart in a column 'id'",
        ),
        (
            "t.csv",
            "path,label,speaker,start,end\n1.wav,joy,s,,1.0\n",
            "t.csv:2: an end of 1 s without a start; expected both",
        ),
        (
            "t.csv",
            "path,label,speaker\n1.wav,joy,a b\n1.wav,joy,a_b\n",
            "t.csv:3: the speakers 'a b' and 'a_b'; expected names that differ in more than case",
        ),
        (
            "t.csv",
            "path,label,speaker\n1.wav,joy,anna\nx/1.wav,joy,Anna\n",
            "t.csv:3: the speakers 'anna' and 'Anna'; expected names that differ in more than case",
        ),
        (
            "t.csv",
            "path,label,speaker\n1.wav,joy,anna\nx/1.wav,joy,anna\u200b\n",
            "t.csv:3: the speakers 'anna' and 'anna\\u200b'; expected names that differ in more",
        ),
        (
            "t.csv",  # the second is Cyrillic
            "path,label,speaker\n1.wav,joy,anna\nx/1.wav,joy,\u0430nna\n",
            "t.csv:3: the speakers 'anna' and '\\u0430nna'; expected names that differ in more",
        ),
        (
            "t.csv",
            "path|label|speaker\n1.wav|joy|s\n",
            "no column 'path' among path|label|speaker; expected path, label, speaker; put ',' "
            "between the cells, not '|'",
        ),
    ],
)
def test_faults_are_one_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    plant(tmp_path, "1.wav", "x/1.wav", "x_1.wav")
    (tmp_path / name).write_text(text)
    with pytest.raises(SerError) as error:
        read_table_corpus(tmp_path / name)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_data_directory_without_words_and_without_sexes(tmp_path: Path) -> None:
    plant(tmp_path, "1.wav", "2.wav", "3.wav")
    table = write(
        tmp_path / "t.csv",
        ["path", "label", "speaker"],
        ["1.wav", "joy", "a"],
        ["2.wav", "sad", "b"],
        ["3.wav", "fear", "b"],
    )
    prepare_table(table, tmp_path / "data", LABELS)
    data = read_data_dir(tmp_path / "data")
    assert data["utt2emo"] == {"a-1": "hap", "b-2": "sad"}
    assert "spk2gender" not in data.tables
    assert set(data["text"].values()) == {""}
    excluded = (tmp_path / "data" / "excluded.tsv").read_text()
    assert "b-3\tlabel fear is in 'exclude'" in excluded


def test_what_lies_where_the_data_directory_should(tmp_path: Path) -> None:
    """The corpus itself, its folder, something else: nothing is lost."""
    plant(tmp_path / "corpus", "wavs/1.wav", "wavs/2.wav")
    rows = [["wavs/1.wav", "joy", "a"], ["wavs/2.wav", "sad", "b"]]
    table = write(tmp_path / "corpus" / "t.csv", HEADER, *rows)
    before = sorted(tmp_path.rglob("*"))
    for out, message in (
        ("corpus", "corpus: holds .*t.csv, which would be lost; name another folder"),
        (".", "holds .*t.csv, which would be lost"),
        ("corpus/wavs", "wavs: is there and was not written by this program"),
        ("corpus/t.csv", "t.csv: holds .*t.csv, which would be lost"),
    ):
        with pytest.raises(SerError, match=message):
            prepare_table(table, tmp_path / out, LABELS)
    assert sorted(tmp_path.rglob("*")) == before
    prepare_table(table, tmp_path / "data", LABELS)
    plant(tmp_path, "data/more/3.wav")  # in a folder that is ours
    (tmp_path / "link").symlink_to(tmp_path / "data/more")
    for path in (str(tmp_path / "data/more/3.wav"), "../data/more/3.wav", "../link/3.wav"):
        write(table, HEADER, *rows, [path, "sad", "b"])
        with pytest.raises(SerError, match=r"data: holds .*3\.wav, which would be lost"):
            prepare_table(table, tmp_path / "data", LABELS)
        assert (tmp_path / "data/more/3.wav").is_file()


def test_audio_replaced_under_its_name_is_noticed(tmp_path: Path) -> None:
    plant(tmp_path, "1.wav", "2.wav")
    table = write(tmp_path / "t.csv", HEADER, ["1.wav", "joy", "a"], ["2.wav", "sad", "b"])
    identities = []
    for _ in range(2):
        prepare_table(table, tmp_path / "data", LABELS)
        identities.append(require(tmp_path / "data", 0)["identity"])
    plant(tmp_path, "x.wav", "1.wav")  # the same length, other samples
    prepare_table(table, tmp_path / "data", LABELS)
    identities.append(require(tmp_path / "data", 0)["identity"])
    assert identities[0] == identities[1] != identities[2]


def test_labels_in_composed_and_in_decomposed_letters_are_one(tmp_path: Path) -> None:
    """As macOS and others write folders, tables and labels.yaml."""
    plant(tmp_path, "1.wav", "2.wav", "3.wav")
    rows = [
        [f"{i}.wav", normalize(form, word), "s", normalize(form, f"E1={word}")]
        for i, (form, word) in enumerate(UMLAUTS, 1)
    ]
    labels = LabelsConfig(
        classes={"ang": [normalize("NFD", "Ärger")], "hap": ["Glück"]}, exclude=[]
    )
    prepare_table(write(tmp_path / "t.csv", [*HEADER, "votes"], *rows), tmp_path / "ser", labels)
    data = read_data_dir(tmp_path / "ser")
    assert list(data["utt2emo"].values()) == ["ang", "ang", "hap"]
    assert list(data["utt2emo_raw"].values()) == ["Ärger", "Ärger", "Glück"]
    assert list(data["utt2votes"].values()) == ["E1=Ärger", "E1=Ärger", "E1=Glück"]


UMLAUTS = [("NFC", "Ärger"), ("NFD", "Ärger"), ("NFD", "Glück")]


def test_a_person_in_two_spellings_is_told_once(tmp_path: Path) -> None:
    plant(tmp_path, *(f"{i}.wav" for i in range(6)))
    rows = [[f"{i}.wav", "joy", ("anna", "Anna")[i % 2]] for i in range(6)]
    with pytest.raises(SerError) as error:
        read_table_corpus(write(tmp_path / "t.csv", HEADER, *rows))
    assert str(error.value).count("the speakers 'anna' and 'Anna'") == 1
