"""ESD: two languages, folders of parts, texts in several encodings."""

import shutil
from pathlib import Path

import pytest
from corpora import find, plant_audio, plant_esd

from ser.base.errors import SerError
from ser.corpus.copies import without_copies
from ser.corpus.parsers.esd import read_esd


def test_esd(tmp_path: Path) -> None:
    plant_esd(tmp_path)
    utterances = read_esd(tmp_path).utterances
    assert len(utterances) == 12 * 15
    chinese, english = find(utterances, "0001_000371"), find(utterances, "0012_000371")
    assert chinese.label == english.label == "angry"  # the folder, not the text file's column
    assert chinese.transcript == "打远一看 它们的确很是美丽"
    assert english.transcript == "THE NINE THE EGGS"
    assert chinese.attributes == {
        "utt2scene": "zh_sentence021",
        "utt2type": "scripted",
        "utt2language": "zh",
        "utt2split": "evaluation",
    }
    assert english.attributes["utt2language"] == "en"
    assert english.attributes["utt2scene"] == "en_sentence021"  # another sentence
    assert "utt2split" not in english.attributes


def test_one_recording_in_the_folders_of_two_emotions(tmp_path: Path) -> None:
    plant_esd(tmp_path)
    angry = next(tmp_path.rglob("0012_000371.wav"))
    shutil.copyfile(angry, angry.parents[1] / "Sad" / angry.name)
    with pytest.raises(
        SerError, match=r"sad by 0012, .*: angry by 0012 \(.*\); expected one label"
    ):
        without_copies(read_esd(tmp_path).utterances)


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\n\n"])  # an even and an odd number of bytes
def test_encodings_of_esd(tmp_path: Path, encoding: str, end: str) -> None:
    table = tmp_path / "0001" / "0001.txt"
    plant_audio(tmp_path / "0001" / "Angry" / "0001_000351.wav")
    table.write_text(f"0001_000351\t打远一看\t生气{end}", encoding=encoding)
    assert read_esd(tmp_path).utterances[0].transcript == "打远一看"


@pytest.mark.parametrize(
    "sentence", [b"I don\x92t know, Zo\xeb.", "I don\u2019t know, Zoë.".encode("gb18030")]
)
def test_apostrophes_of_english_speakers(tmp_path: Path, sentence: bytes) -> None:
    """In Windows-1252 they would be half of a Chinese character."""
    table = tmp_path / "0012" / "0012.txt"
    plant_audio(tmp_path / "0012" / "Angry" / "0012_000351.wav")
    table.write_bytes(b"0012_000351\t" + sentence + b"\t" + "生气".encode("gb18030") + b"\n")
    assert read_esd(tmp_path).utterances[0].transcript == "I DON'T KNOW ZOË"


def test_esd_without_its_texts(tmp_path: Path) -> None:
    plant_esd(tmp_path)
    table = tmp_path / "0012" / "0012.txt"
    table.write_text("0012_000099\tA line.\tNeutral\n")
    said = r"0012.txt: 1 lines, none for an audio file of 0012; expected one for each"
    with pytest.raises(SerError, match=said):
        read_esd(tmp_path)
    table.write_bytes(b"\x81")
    with pytest.raises(SerError, match=r"0012.txt: not text in UTF-8, UTF-16 or GB18030"):
        read_esd(tmp_path)
    table.unlink()
    with pytest.raises(SerError, match=r"0012.txt: no such file"):
        read_esd(tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "0011_000351\tHe walked home.\tAngry",
        "0011_000351\tHe walked home.",
        "0011_000351\tHe walked home. Angry",
        "0011_000351 He walked home.\tAngry",
        "0011_000351 He walked  home. Angry ",
        "0011_000351 \t He walked home. \t\tAngry",
    ],
)
def test_blanks_where_there_should_be_tabs(tmp_path: Path, line: str) -> None:
    """Some lines of the release are so."""
    plant_audio(tmp_path / "0011" / "Angry" / "0011_000351.wav")
    (tmp_path / "0011" / "0011.txt").write_text(f"{line}\r\n")
    (only,) = read_esd(tmp_path).utterances
    assert only.transcript == "HE WALKED HOME"


def test_an_utterance_without_a_line_is_left_out(tmp_path: Path) -> None:
    for number in ("351", "352"):
        plant_audio(tmp_path / "0011" / "Angry" / f"0011_000{number}.wav")
    (tmp_path / "0011" / "0011.txt").write_text("0011_000351 A line. Angry\n0011_000352\n")
    corpus = read_esd(tmp_path)
    assert [u.utt_orig for u in corpus.utterances] == ["0011_000351"]
    assert corpus.excluded == {"0011-0011_000352": "no line in 0011.txt"}
