"""What another run writes, or somebody else wrote, is not written over."""

import errno
import threading
from pathlib import Path

import pytest

from ser.base.errors import SerError
from ser.base.writing import atomic_folder, require_own_file, sole_run


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
