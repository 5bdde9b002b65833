"""The audio of a folder of one's own: what is taken, and what is told."""

from pathlib import Path
from typing import Any

import pytest

from ser.base.errors import SerError
from ser.corpus.parsers.parsing import audio_files, list_audio
from ser.corpus.parsers.roots import find_root, holds
from ser.infer.inputs import AudioInput, audio_inputs


def test_audio_of_a_folder_of_ones_own(tmp_path: Path, log: Any) -> None:
    root = tmp_path / "wavs"
    for name in ("b c/1.WAV", "a.flac", "b c/d/2.oga", "b c/x.m4a", "notes", ".a.wav", "._a.wav"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (root / "loop").symlink_to(root)
    found = [str(path.relative_to(root)) for path in list_audio(root)]
    assert found == ["a.flac", "b c/1.WAV", "b c/d/2.oga"]
    (said,) = log.find("warning: ")
    assert ": 3 others are not taken (.m4a, links to folders, notes); a table can" in said


HIDDEN = (".Trash-1000/files/a.wav", ".ipynb_checkpoints/a.wav", "__MACOSX/a.wav", "b/.x/a.wav")


def test_hidden_folders_are_not_the_corpus(tmp_path: Path) -> None:
    root = tmp_path / ".corpora" / "wavs"  # which may lie in one
    for name in ("a.wav", "b/a.wav", *HIDDEN):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    wanted = [root / "a.wav", root / "b" / "a.wav"]
    assert list_audio(root) == wanted
    assert audio_files(root, "**/*.wav", "wavs") == wanted
    assert audio_inputs([str(root)]) == ([AudioInput(path) for path in wanted], [])


def test_a_corpus_in_the_trash_is_not_found(tmp_path: Path, log: Any) -> None:
    (tmp_path / ".Trash-1000" / "Actor_01").mkdir(parents=True)
    assert find_root(tmp_path, "actors", holds("Actor_*"), ["Actor_*"]) == tmp_path
    assert not log.find("warning: ")
    (tmp_path / "speech" / "Actor_01").mkdir(parents=True)
    assert find_root(tmp_path, "actors", holds("Actor_*"), ["Actor_*"]) == tmp_path / "speech"


def test_a_folder_of_what_pyav_reads(tmp_path: Path) -> None:
    """As telephones record."""
    for name in ("b.M4A", "a.m4a", "film.mp4"):
        (tmp_path / name).touch()
    assert [path.name for path in list_audio(tmp_path)] == ["a.m4a", "b.M4A"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("notes.txt", "wavs: 0 audio files in it; correct the path"),
        ("a\nb.wav", r"wavs/a\\nb\.wav': a line break in the name; expected none"),
        (None, "wavs: No such file or directory; expected a folder to read"),
    ],
)
def test_folders_that_cannot_be_listed(tmp_path: Path, name: str | None, message: str) -> None:
    if name:
        (tmp_path / "wavs").mkdir()
        (tmp_path / "wavs" / name).touch()
    with pytest.raises(SerError, match=message):
        list_audio(tmp_path / "wavs")
