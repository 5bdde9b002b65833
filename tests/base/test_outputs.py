"""What is lost or changed in a finished folder is seen by the stage that reads it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ser.base import outputs
from ser.base.errors import SerError
from ser.base.outputs import faults, outputs_in, seal
from ser.base.record import Record, read_record, require

Harm = Callable[[Path], object]


def flip(path: Path) -> None:
    values = bytearray(path.read_bytes())
    values[len(values) // 2] ^= 1
    path.write_bytes(values)


HARMS: dict[str, tuple[Harm, str]] = {
    "removed": (Path.unlink, "is missing"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:-1]), "has 7 bytes instead of 8"),
    "a bit flipped": (flip, "was changed"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "is missing"),
}


@pytest.fixture
def made(tmp_path: Path) -> Record:
    record = Record(tmp_path / "made", 2, {}, {})
    record.folder.mkdir()
    (record.folder / "bpe.model").write_bytes(b"8 bytes.")
    (record.folder / "train.log").write_text("grows")
    record.finish()
    return record


@pytest.mark.parametrize("harm", HARMS)
def test_a_harmed_folder_is_refused_and_made_anew(
    made: Record, caplog: pytest.LogCaptureFixture, harm: str
) -> None:
    assert made.is_finished()
    act, words = HARMS[harm]
    act(made.folder / "bpe.model")
    with pytest.raises(SerError, match=rf"bpe.model {words}.*; expected what stage 2 wrote; run "):
        require(made.folder, 2)
    assert not made.is_finished()
    assert f"{words}" in caplog.text and "made anew" in caplog.text


def test_what_was_lost_far_up_is_named(made: Record, tmp_path: Path) -> None:
    below = Record(tmp_path / "below", 3, {}, {str(made.folder): made.identity})
    below.folder.mkdir()
    below.finish()
    flip(made.folder / "bpe.model")
    with pytest.raises(SerError, match=r"made: bpe.model was changed; expected what stage 2 wrote"):
        require(below.folder, 3)


def test_logs_may_grow_and_files_may_be_put_beside(made: Record) -> None:
    (made.folder / "train.log").write_text("grew")
    (made.folder / "notes.txt").write_text("mine")
    (made.folder / ".hidden").write_text("x")
    assert require(made.folder, 2)["outputs"].keys() == {"bpe.model"}
    assert [path.name for path in outputs_in(made.folder)] == ["bpe.model", "notes.txt"]


def test_a_record_of_an_earlier_version_has_none(made: Record) -> None:
    path = made.folder / "run.json"
    record = read_record(made.folder)
    del record["outputs"]
    path.write_text(json.dumps(record))
    flip(made.folder / "bpe.model")
    assert made.is_finished()


def test_a_large_file_is_sampled_and_on_request_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("WHOLE_BYTES", 1000), ("BLOCK_BYTES", 10), ("NUM_BLOCKS", 5)):
        monkeypatch.setattr(outputs, name, value)
    ark = tmp_path / "feats.ark"
    ark.write_bytes(bytes(2001))
    sealed = seal(tmp_path, [ark])
    assert not faults(tmp_path, sealed, whole=True)

    def harmed(at: int, whole: bool) -> bool:
        values = bytearray(2001)
        values[at] = 1
        ark.write_bytes(values)
        return bool(faults(tmp_path, sealed, whole))

    assert all(harmed(at, whole=False) for at in (0, 9, 500, 1000, 1995, 2000))
    assert not harmed(100, whole=False)
    assert harmed(100, whole=True)
