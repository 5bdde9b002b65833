"""Folders are whole or not there; what another run writes, or somebody else wrote, is kept."""

import errno
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ser.base.errors import SerError
from ser.base.writing import (
    atomic_file,
    atomic_folder,
    require_own_file,
    require_replaceable,
    sole_run,
)


def test_two_that_write_one_folder_do_not_mix(tmp_path: Path) -> None:
    folder = tmp_path / "ser"
    said: list[str] = []

    def second() -> None:
        try:
            with atomic_folder(folder) as partial:
                (partial / "run.json").write_text("second")
        except SerError as error:
            said.append(str(error))

    with atomic_folder(folder) as partial:
        (partial / "run.json").write_text("first")
        other = threading.Thread(target=second)
        other.start()
        other.join()
        (partial / "utt2emo").write_text("first")
    assert said == [f"{folder}: another run is writing here; wait for it, or end it"]
    assert {p.read_text() for p in folder.iterdir()} == {"first"}
    second()  # it is free again
    assert [p.read_text() for p in folder.iterdir()] == ["second"]


def test_a_file_system_without_locks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(OSError, match="No locks") as caught, sole_run(tmp_path / "ser"):
        raise AssertionError
    assert caught.value.filename == str(tmp_path / "ser")


def test_what_another_stage_wrote_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "fold1"
    with atomic_folder(folder, "model*", stage=4) as partial:
        (partial / "run.json").write_text('{"stage": 4}')
        (partial / "model.safetensors").write_text("weights")
    with (
        pytest.raises(SerError, match="fold1: is there and was not written by stage 0; expected"),
        atomic_folder(folder, "model*", stage=0),
    ):
        raise AssertionError
    assert (folder / "model.safetensors").read_text() == "weights"
    (folder / "run.json").write_text("{")  # damaged: it is written anew
    with atomic_folder(folder, "model*", stage=4) as partial:
        (partial / "run.json").write_text('{"stage": 4}')
    assert not (folder / "model.safetensors").exists()


@pytest.mark.parametrize("taken", ["file", "folder"])
def test_files_of_others_are_kept(tmp_path: Path, taken: str) -> None:
    path = tmp_path / "mine.wav"
    require_own_file(path, lambda path: False)  # nothing is there
    if taken == "file":
        path.write_bytes(b"RIFF")
        require_own_file(path, lambda path: path.read_bytes() == b"RIFF")
    else:
        path.mkdir()
    with pytest.raises(SerError, match=r"mine\.wav: is there and was not written by this program"):
        require_own_file(path, lambda path: False)


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


def test_nothing_stays_of_a_file_of_a_failed_block(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("first")
    with pytest.raises(OSError, match="No space left"), atomic_file(tmp_path / "a") as path:
        path.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "first"


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
if sys.argv[2] == "before the rename":
    writing.sync = die
if sys.argv[2] == "between the renames":
    renamed = Path.replace
    Path.replace = lambda *paths: (renamed(*paths), die())
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


def test_a_process_killed_between_the_renames(tmp_path: Path) -> None:
    """The next call puts the folder back, even if it fails."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "run.json").write_text("before")
    words = [sys.executable, "-c", KILLED, str(folder), "between the renames"]
    assert subprocess.run(words, check=False).returncode == -signal.SIGKILL
    assert not folder.exists()
    with pytest.raises(KeyError), atomic_folder(folder):
        raise KeyError
    assert (folder / "run.json").read_text() == "before"


@pytest.mark.parametrize("path", [".", "/"])
def test_a_folder_without_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SerError, match="no name of a folder"):
        require_replaceable(Path(path))


HOLDER = """
import sys
from pathlib import Path
from ser.base.writing import sole_run
with sole_run(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    folder = tmp_path / "exp" / "run"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(SerError, match=f"{folder}: another run is writing here"), sole_run(folder):
        pass
    with sole_run(folder.with_name("other")):  # its neighbour is free
        pass
    holder.kill()  # a killed run holds nothing
    holder.wait()
    with sole_run(folder):
        pass
    holder.stdin.close()
    holder.stdout.close()
