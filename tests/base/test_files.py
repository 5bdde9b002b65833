"""Files come back as they were written; what cannot be read is named."""

import json
import os
from pathlib import Path

import pytest

from ser.base.errors import SerError
from ser.base.files import digest_json, read_json, read_text
from ser.base.writing import write_json, write_text


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
        (
            b"a\nc\xe4",
            r"byte 3 is not UTF-8 \(line 2\); .* iconv -f WINDOWS-1252 -t UTF-8 if that is",
        ),
        ("a".encode("utf-16"), "byte 0 is not UTF-8 .* iconv -f UTF-16 -t UTF-8 if that"),
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


def test_digest_does_not_know_the_order_of_keys() -> None:
    assert digest_json({"a": 1, "b": [2, 3]}) == digest_json(json.loads('{"b": [2, 3], "a": 1}'))
    assert digest_json({"a": 1, "b": [2, 3]}) != digest_json({"a": 1, "b": [3, 2]})
