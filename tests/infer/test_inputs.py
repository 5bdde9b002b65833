"""Folders, lists and files as ``ser-predict`` takes them, and what it says of those it cannot."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ser.base.errors import SerError
from ser.infer.inputs import AudioInput, audio_inputs

Call = Callable[..., Any]
NOISE = 0.1 * np.random.default_rng(0).normal(size=8000)


def plant(path: Path, **options: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(os.fsencode(path), NOISE, 16000, **options)
    return path


def test_a_folder_is_searched_for_audio_by_all_its_names(tmp_path: Path) -> None:
    formats = {"aif": "AIFF", "aifc": "AIFF", "sph": "NIST", "snd": "AU", "WAV": "WAV"}
    planted = {plant(tmp_path / f"deep/a.{name}", format=f) for name, f in formats.items()}
    (tmp_path / "b.raw").write_bytes(bytes(2000))  # without a header nothing is known of it
    (tmp_path / "notes.txt").write_text("no audio")
    (tmp_path / "nowhere.wav").symlink_to("nothing")
    os.mkfifo(tmp_path / "pipe.wav")
    found, faults = audio_inputs([str(tmp_path)])
    assert [one.path for one in found] == sorted(planted)
    assert not faults


def test_a_table_is_no_audio(tmp_path: Path) -> None:
    (tmp_path / "corpus.CSV").write_text("path,label,speaker\n")
    found, faults = audio_inputs([str(tmp_path / "corpus.CSV")])
    assert not found
    assert str(faults[0]).startswith(f"{tmp_path}/corpus.CSV: a table; expected audio, a folder or")


def test_lists_as_people_write_them(tmp_path: Path) -> None:
    path = tmp_path / "wav.scp"
    path.write_bytes(b"u2 /a b.wav\nu1\t/c.wav\r\n\nu3  d\xff.wav")
    assert audio_inputs([str(path)]) == (
        [
            AudioInput(Path("/a b.wav"), "u2"),
            AudioInput(Path("/c.wav"), "u1"),
            AudioInput(Path(os.fsdecode(b"d\xff.wav")), "u3"),
        ],
        [],
    )


def test_formats_that_are_not_read_are_told(tmp_path: Path, log: Any) -> None:
    plant(tmp_path / "a.wav")
    plant(tmp_path / "b.voc", format="VOC")
    found, _ = audio_inputs([str(tmp_path)])
    assert [one.path.name for one in found] == ["a.wav"]
    assert log.find(r"passed over files of formats of which a cut cannot be seen \(\.voc\)")


def test_links_to_folders_are_told(tmp_path: Path, log: Any) -> None:
    plant(tmp_path / "elsewhere" / "b.wav")
    plant(tmp_path / "here" / "a.wav")
    (tmp_path / "here" / "more").symlink_to(tmp_path / "elsewhere")
    found, _ = audio_inputs([str(tmp_path / "here")])
    assert [one.path.name for one in found] == ["a.wav"]
    assert log.find("1 links to folders are not followed, .*more the first; give them too")


def test_a_name_that_no_file_can_have_leaves_the_others_alone(
    tmp_path: Path, ser_predict_here: Call
) -> None:
    said = ser_predict_here(plant(tmp_path / "a.wav"), f"{'x' * 300}.wav", "--format", "jsonl")
    assert (said.status, said.out.count("\n"), said.err.count("\n")) == (1, 1, 1)
    assert "File name too long" in said.err


def test_a_no_break_space_is_part_of_an_id(tmp_path: Path) -> None:
    (tmp_path / "wav.scp").write_text("u\u00a01 a.wav\n")
    found, _ = audio_inputs([str(tmp_path / "wav.scp")])
    assert found == [AudioInput(Path("a.wav"), "u\u00a01")]


def test_a_line_without_a_path_does_not_stop_the_others(tmp_path: Path) -> None:
    path = tmp_path / "wav.scp"
    path.write_text("u1 /a.wav\nu2\nu3 /c.wav\n")
    found, faults = audio_inputs([str(path)])
    assert [item.utt for item in found] == ["u1", "u3"]
    assert list(map(str, faults)) == [f"{path}:2: 'u2' alone; expected 'id path'; correct the line"]


def test_an_id_is_given_once_and_without_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "wav.scp"
    path.write_text("\ufeffu1 /a.wav\nu1 /b.wav\n")
    found, faults = audio_inputs([str(path)])
    assert found == [AudioInput(Path("/a.wav"), "u1")]
    assert list(map(str, faults)) == [
        f"{path}:2: the id u1 is also that of line 1; expected it once; correct the line"
    ]


def test_an_empty_name_is_not_this_folder() -> None:
    with pytest.raises(SerError, match="'': an empty INPUT; expected a file or a folder"):
        audio_inputs([""])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("u1 touch /tmp/never |\n", r"wav\.scp:1: a command, 'touch /tmp/never \|'; commands"),
        ("\n", r"wav\.scp: 0 lines; expected"),
        (None, r"wav\.scp: no such file"),
    ],
)
def test_lists_that_are_none(tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "wav.scp").write_text(text)
    with pytest.raises(SerError, match=said):
        audio_inputs([str(tmp_path / "wav.scp")])


def test_the_id_of_a_list_is_told(tmp_path: Path, ser_predict_here: Call) -> None:
    audio = plant(tmp_path / "a.wav")
    (tmp_path / "wav.scp").write_text(f"u1 {audio}\n")
    for options in ([], ["--window", "0.5"]):
        said = ser_predict_here(tmp_path / "wav.scp", audio, "--format", "json", *options)
        listed, alone = json.loads(said.out)
        assert (listed["id"], listed["path"]) == ("u1", str(audio))
        assert "id" not in alone


@pytest.mark.parametrize("window", [[], ["--window", "0.25"]])
def test_what_may_not_be_read_is_told_and_the_rest_goes_on(
    unprivileged: Path, ser_predict_here: Call, window: list[str]
) -> None:
    good = plant(unprivileged / "open.wav")
    closed = plant(unprivileged / "closed.wav")
    inside = plant(unprivileged / "locked" / "a.wav")
    closed.chmod(0)
    inside.parent.chmod(0)
    said = ser_predict_here(unprivileged, inside, "--format", "jsonl", *window)
    assert said.status == 1
    assert {json.loads(line)["path"] for line in said.out.splitlines()} == {str(good)}
    locked, *files = said.err.splitlines()
    assert locked.startswith(f"error: {inside.parent}: not searched (Permission denied)")
    assert [line.partition(" (")[0] for line in files] == [
        f"error: {path}: no permission to read it" for path in (closed, inside)
    ]
    said = ser_predict_here(inside.parent, *window)
    assert (said.status, said.err.count("\n")) == (1, 1)
    assert "permission" in said.err


@pytest.mark.parametrize("form", ["table", "tsv", "json", "jsonl"])
def test_a_name_that_is_no_utf8_is_shown(tmp_path: Path, form: str, ser_predict_here: Call) -> None:
    path = plant(Path(os.fsdecode(os.fsencode(tmp_path / "ä") + b"\xff.wav")))
    (tmp_path / "b.raw").write_bytes(bytes(2000))
    said = ser_predict_here(tmp_path, tmp_path / "b.raw", "--format", form)
    assert said.status == 1
    assert said.err.startswith(f"error: {tmp_path / 'b.raw'}: samples without a header")
    if form.startswith("json"):
        value = json.loads(said.out)
        assert os.fsencode((value[0] if form == "json" else value)["path"]) == os.fsencode(path)
    else:
        assert r"ä\udcff.wav" in said.out


@pytest.mark.parametrize("options", [[], ["--window", "0.25"], ["--html", "page.html"]])
def test_files_are_whole_however_they_are_heard(
    tmp_path: Path, ser_predict_here: Call, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    soundfile.write("empty.wav", np.zeros(0), 16000)
    soundfile.write("instant.wav", np.zeros(1), 192000)
    whole = plant(Path("whole.wav")).read_bytes()
    Path("cut.wav").write_bytes(whole[:9000])
    os.mkfifo("pipe.wav")
    for name, reason in (
        ("empty.wav", "0 samples; expected audio"),
        ("instant.wav", "0 samples at 16000 Hz; expected audio"),
        ("cut.wav", "0.28 s decoded of 0.50 s announced (cut.wav; 9000 bytes"),
        ("pipe.wav", "no regular file"),
    ):
        said = ser_predict_here(name, *options)
        assert said.status == 1
        assert said.err.startswith(f"error: {name}: {reason}"), said.err
        assert said.err.count("\n") == 1
    assert not Path("page.html").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-", "--html", "x.html"], "--html x.html with -; expected a file"),
        (["a.wav", "--html", "x.html", "--format", "tsv"], "--format tsv with --html; expected"),
        (["a.wav", "--rate", "8000"], "--rate 8000 with files, which have their own"),
        (["a.wav", "--html", "x.html", "--hop", "0.1"], "--hop 0.1 without --window"),
        (["-"], "-: no audio, 0 samples; expected raw 16-bit mono PCM"),
        (["-", "--format", "json"], "-: no audio, 0 samples"),
    ],
)
def test_options_that_do_not_fit_together(
    ser_predict_here: Call, words: list[str], message: str
) -> None:
    said = ser_predict_here(*words)
    assert said.status == 1
    assert said.err.startswith(f"error: {message}")
    assert said.err.count("\n") == 1


def test_a_short_window_of_a_page_has_a_hop_that_fits(
    tmp_path: Path, ser_predict_here: Call
) -> None:
    page = tmp_path / "page.html"
    said = ser_predict_here(plant(tmp_path / "a.wav"), "--html", page, "--window", "0.2")
    assert (said.status, said.err) == (0, "")
    assert "windows of 0.2 s every 0.05 s" in page.read_text()
