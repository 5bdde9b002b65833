"""Corpora as they lie on disks: a step beside the path, twice, packed, with what systems add."""

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from corpora import LABELS, PLANTERS, plant_audio, plant_ravdess, plant_tess

from ser.base.errors import SerError
from ser.corpus.parsers.iemocap import read_iemocap
from ser.corpus.parsers.parsing import list_audio
from ser.corpus.parsers.ravdess import read_ravdess
from ser.corpus.parsers.registry import READERS
from ser.corpus.prepare import prepare_corpus, prepare_librispeech
from ser.kaldi.data_dir import read_data_dir

# A folder of each corpus, a step below its root.
INSIDE = {
    "crema_d": "AudioWAV",
    "emodb": "wav",
    "esd": "0012",
    "meld": "train",
    "msp_podcast": "Audios",
    "ravdess": "Actor_03",
    "savee": "AudioData/JE",
    "tess": "OAF_Sad",
}


def ids(name: str, root: Path) -> list[str]:
    return sorted(u.utt for u in READERS[name](root).utterances)


@pytest.mark.parametrize("name", PLANTERS)
def test_a_root_a_step_beside_the_path(tmp_path: Path, name: str, log: Any) -> None:
    """Above, one and two below; two of them are an error that lists both."""
    root = tmp_path / "disk" / "unpacked" / "corpus"
    PLANTERS[name](root)
    expected = ids(name, root)
    assert not log.find("the corpus lies in")
    for named in (root / INSIDE[name], root.parent, root.parent.parent):
        assert ids(name, named) == expected, named
    told = log.find(f"warning: {root}.*: the corpus lies in {root}.*, which is read; set the pat")
    assert len(told) == 1
    (root.parent / "__MACOSX").mkdir()
    shutil.copytree(root, root.parent / "__MACOSX" / "corpus")
    assert ids(name, root.parent) == expected
    shutil.copytree(root, root.parent / "second")
    with pytest.raises(SerError) as caught:
        READERS[name](root.parent)
    said = str(caught.value)
    if name != "meld":  # whose tables are found wherever they lie
        assert f"{root.parent}: 2 folders in it hold" in said
    assert str(root) in said and f"{root.parent}/second" in said and "\n" not in said


def test_iemocap_and_librispeech_a_step_beside(generated: Path, tmp_path: Path, log: Any) -> None:
    root = generated / "IEMOCAP_full_release"
    expected = [u.utt for u in read_iemocap(root).utterances]
    for named in (generated, root / "Session1"):
        assert [u.utt for u in read_iemocap(named).utterances] == expected
        assert log.find(f"warning: {named}: the corpus lies in {root}, which is read")
    root = generated / "LibriSpeech"
    for named in (generated, root / "dev-clean"):
        folders = tmp_path / "train", tmp_path / "valid"
        prepare_librispeech(named, *folders, ["train-clean-100"], ["dev-clean"], [])
        assert log.find(f"warning: {named}: the corpus lies in {root}, which is read")
        assert read_data_dir(tmp_path / "valid").utts


SONG, VIDEO = "03-02-05-01-01-01-01.wav", "{}-05-01-01-01-01.mp4"


@pytest.mark.parametrize("beside", [True, False])
def test_ravdess_with_its_songs_and_films(tmp_path: Path, beside: bool, log: Any) -> None:
    """In folders of their own, as unpacked, and in those of the speech."""
    plant_ravdess(tmp_path / "Audio_Speech_Actors_01-24" if beside else tmp_path)
    songs = tmp_path / "Audio_Song_Actors_01-24" if beside else tmp_path
    videos = tmp_path / "Video_Song_Actor_01" if beside else tmp_path
    for actor in ("Actor_01", "Actor_02"):
        plant_audio(songs / actor / SONG)
    for kind in ("01-01", "02-01", "01-02"):
        (videos / "Actor_01").mkdir(parents=True, exist_ok=True)
        (videos / "Actor_01" / VIDEO.format(kind)).write_bytes(b"video")
    assert len(read_ravdess(tmp_path).utterances) == 160
    assert log.find(f"{tmp_path}: passed over 2 songs and 3 videos; the audio of speech is read")


def test_songs_alone_are_no_speech(tmp_path: Path) -> None:
    plant_audio(tmp_path / "Actor_01" / SONG)
    with pytest.raises(SerError, match=r": 0 of 0 utterances can be used"):
        prepare_corpus("ravdess", tmp_path, tmp_path / "data", LABELS)


NESTED: dict[str, tuple[Callable[[Path], None], str]] = {
    "tess": (plant_tess, "TESS Toronto emotional speech set data"),
    "ravdess": (plant_ravdess, "audio_speech_actors_01-24"),
}


@pytest.mark.parametrize("name", NESTED)
def test_a_copy_inside_as_on_kaggle(tmp_path: Path, name: str, log: Any) -> None:
    plant, folder = NESTED[name]
    plant(tmp_path / "in")
    prepare_corpus(name, tmp_path / "in", tmp_path / "once", LABELS)
    plant(tmp_path / "in" / folder)
    number = len(READERS[name](tmp_path / "in").utterances) // 2
    prepare_corpus(name, tmp_path / "in", tmp_path / "data", LABELS)
    assert log.find(rf"warning: {number} files are copies of others to the byte \(.* the first\)")
    assert read_data_dir(tmp_path / "data").tables == read_data_dir(tmp_path / "once").tables
    copy = next((tmp_path / "in" / folder).rglob("*.wav"))
    copy.write_bytes(copy.read_bytes()[:-2] + b"\x01\x02")
    with pytest.raises(SerError) as caught:
        prepare_corpus(name, tmp_path / "in", tmp_path / "other", LABELS)
    assert str(caught.value).startswith(f"{copy}: ")
    assert " is another file of the same utterance, and differs; expected one" in str(caught.value)


@pytest.mark.parametrize("name", PLANTERS)
def test_an_archive_that_is_still_packed(tmp_path: Path, name: str) -> None:
    for archive in ("one.zip", "._one.zip"):
        (tmp_path / archive).touch()
    with zipfile.ZipFile(tmp_path / "two.ZIP", "w"):
        pass
    with pytest.raises(SerError, match=r"2 archives, still packed: one\.zip; two\.ZIP; expected"):
        READERS[name](tmp_path)
    with pytest.raises(SerError, match=r"one\.zip: an archive; expected a folder with .*; unpack"):
        READERS[name](tmp_path / "one.zip")


def test_a_folder_of_archives_has_no_audio(tmp_path: Path) -> None:
    (tmp_path / "one.tar.gz").touch()
    with pytest.raises(SerError, match=r"1 archives, still packed: one\.tar\.gz; expected audio"):
        list_audio(tmp_path)


@pytest.mark.parametrize("name", PLANTERS)
def test_what_systems_add_and_names_in_capitals(tmp_path: Path, name: str) -> None:
    root = tmp_path / "in"
    PLANTERS[name](root)
    expected = ids(name, root)
    for path in list(root.rglob("*.wav")):
        (path.parent / f"._{path.name}").write_bytes(b"AppleDouble")
        (path.parent / ".DS_Store").write_bytes(b"of macOS")
        (path.parent / "Thumbs.db").write_bytes(b"of Windows")
        beside = root / "__MACOSX" / path.relative_to(root).with_name(f"._{path.name}")
        beside.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(b"AppleDouble")
        path.rename(path.with_suffix(".WAV"))
    assert ids(name, root) == expected


def test_iemocap_with_names_in_capitals(generated: Path, tmp_path: Path) -> None:
    root = tmp_path / "IEMOCAP_full_release"
    shutil.copytree(generated / "IEMOCAP_full_release", root)
    expected = read_iemocap(root)
    for path in list(root.rglob("sentences/wav/*/*.wav")):
        path.rename(path.with_suffix(".WAV"))
    found = read_iemocap(root)
    assert [u.utt for u in found.utterances] == [u.utt for u in expected.utterances]
    assert found.left_out == expected.left_out and not found.incomplete
