"""Files and folders are whole or not there, whatever moment a process is killed at."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ser.base.errors import SerError
from ser.base.files import digest_json, read_json, read_text
from ser.base.writing import atomic_folder, require_replaceable, write_json, write_text


def test_text_and_json_come_back(tmp_path: Path) -> None:
    write_text(tmp_path / "t", "ÄÖ\r\nß\n")
    assert read_text(tmp_path / "t") == "ÄÖ\r\nß\n"  # line ends are seen as they are
    write_json(tmp_path / "j", {"a": [1, "ß"]})
    assert read_json(tmp_path / "j") == {"a": [1, "ß"]}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["j", "t"]


def test_a_failed_write_leaves_the_old_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.json"
    write_text(path, "old")

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        write_text(path, "new")
    assert path.read_text() == "old"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"abc\xff", "byte 3 is not UTF-8"),
    ],
)
def test_unreadable_text_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "text"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SerError, match=message) as error:
        read_text(path)
    assert str(error.value).startswith(f"{path}: ")


def test_a_file_in_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    with pytest.raises(SerError, match="no such file"):
        read_text(tmp_path / "f" / "text")


def test_cut_json_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_json(path, {"identity": "x", "stage": 1})
    path.write_text(path.read_text()[:-6])
    with pytest.raises(SerError, match="not JSON") as error:
        read_json(path)
    assert str(error.value).startswith(f"{path}:3: ")


@pytest.mark.parametrize("was_there", [False, True])
def test_whole_folder_replaces(tmp_path: Path, was_there: bool) -> None:
    folder = tmp_path / "parent" / "out"
    if was_there:
        folder.mkdir(parents=True)
        (folder / "old").touch()
    with atomic_folder(folder, "old") as partial:
        assert partial != folder
        (partial / "new").touch()
    assert [p.name for p in folder.iterdir()] == ["new"]
    assert [p.name for p in folder.parent.glob("[!.]*")] == ["out"]


def test_whole_folder_of_a_failed_block_stays_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with atomic_folder(folder) as partial:
        (partial / "first").touch()

    with pytest.raises(RuntimeError), atomic_folder(folder, "first") as partial:
        (partial / "half").touch()
        raise RuntimeError
    assert [p.name for p in folder.iterdir()] == ["first"]

    with atomic_folder(folder, "first") as partial:  # what the failed block left is not taken over
        (partial / "second").touch()
    assert [p.name for p in folder.iterdir()] == ["second"]


def test_whole_folder_behind_a_link(tmp_path: Path) -> None:
    """A folder on another disk stays there."""
    (tmp_path / "big").mkdir()
    (tmp_path / "ser").symlink_to(tmp_path / "big")
    for content in ("1", "2"):
        with atomic_folder(tmp_path / "ser") as partial:
            (partial / "run.json").write_text(content)
        assert (tmp_path / "ser").is_symlink()
        assert (tmp_path / "big" / "run.json").read_text() == content
    assert sorted(p.name for p in tmp_path.glob("[!.]*")) == ["big", "ser"]


KILLED = """
import os, signal, sys
from pathlib import Path
from ser.base import writing
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[2] != "in the block":
    writing.sync = die
with writing.atomic_folder(Path(sys.argv[1])) as partial:
    (partial / "run.json").write_text("{}")
    if sys.argv[2] == "in the block":
        die()
"""


@pytest.mark.parametrize("moment", ["in the block", "before the rename"])
@pytest.mark.parametrize("was_there", [False, True])
def test_a_killed_process_leaves_the_folder(tmp_path: Path, moment: str, was_there: bool) -> None:
    folder = tmp_path / "out"
    if was_there:
        folder.mkdir()
    killed = subprocess.run([sys.executable, "-c", KILLED, str(folder), moment], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert folder.exists() == was_there
    assert not (folder / "run.json").exists()


def test_digest_does_not_know_the_order_of_keys() -> None:
    assert digest_json({"a": 1, "b": [2, 3]}) == digest_json(json.loads('{"b": [2, 3], "a": 1}'))
    assert digest_json({"a": 1, "b": [2, 3]}) != digest_json({"a": 1, "b": [3, 2]})


@pytest.mark.parametrize("name", ["mine", "file"])
def test_what_somebody_else_wrote_is_not_replaced(tmp_path: Path, name: str) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.wav").write_bytes(b"mine")
    (tmp_path / "file").write_bytes(b"mine")
    before = sorted(tmp_path.rglob("*"))
    wrote = False
    with (
        pytest.raises(SerError, match=f"{name}: is there and was not written by this program"),
        atomic_folder(tmp_path / name),
    ):
        wrote = True
    assert not wrote
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("path", [".", "/"])
def test_a_folder_without_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SerError, match="no name of a folder"):
        require_replaceable(Path(path))
