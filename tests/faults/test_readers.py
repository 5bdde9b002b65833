"""Files are read whole, within bounds, or refused in a line: no pipe, no device, no bomb."""

import os
import time
from pathlib import Path

import pytest
from tiny import FBANK
from tiny_audio import untrained_model

from ser.base.errors import SerError
from ser.base.files import parsing, read_bytes, read_json, read_text
from ser.base.record import Record
from ser.config.labels import LabelsConfig
from ser.config.load import load_config
from ser.config.yaml_file import read_yaml
from ser.feats.extract import start_or_resume
from ser.train.training_folder import claim_training_folder


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "missing", "NUL"])
def test_what_is_no_regular_file(kind: str, tmp_path: Path) -> None:
    path = {"device": Path("/dev/zero"), "folder": tmp_path}.get(kind, tmp_path / "x.yaml")
    if kind == "pipe":
        os.mkfifo(path)
    if kind == "NUL":
        path = tmp_path / "a\0b"
    for read in (read_text, read_json, read_yaml):
        with pytest.raises(SerError):
            read(path)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.touch()
    os.truncate(path, 1 << 40)  # it takes no room
    with pytest.raises(SerError, match="1099511627776 bytes; expected at most"):
        read_bytes(path)


def test_whatever_a_parser_stumbles_over_names_the_file() -> None:
    for error in (KeyError("a"), OverflowError(), MemoryError(), RecursionError("deep\nand so on")):
        with (
            pytest.raises(SerError, match=r"^x\.json: not JSON \(.+\); correct it$"),
            parsing("x.json", "not JSON", "correct it"),
        ):
            raise error


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: " * 100, "not YAML"),
        ("".join(f"{' ' * i}a:\n" for i in range(500)), "deeper than 20"),
        ("a: &a [*a]\n", r"labels\.yaml:1: the alias \*a; expected the value itself"),
    ],
)
def test_yaml_that_is_a_bomb(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.yaml"
    path.write_text(text)
    with pytest.raises(SerError, match=said) as error:
        load_config(path, LabelsConfig)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize("beside", [1, 2])
def test_files_that_include_one_another_without_end(beside: int, tmp_path: Path) -> None:
    for number in range(200):
        lines = [f"k{i}: !include {number + 1}.yaml\n" for i in range(beside)]
        (tmp_path / f"{number}.yaml").write_text("".join(lines))
    began = time.monotonic()
    with pytest.raises(SerError, match="correct the !include lines"):
        read_yaml(tmp_path / "0.yaml")
    assert time.monotonic() - began < 5


def test_a_huge_value_is_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "labels.yaml"
    path.write_text(f"classes: {'x' * 100_000}\n{'k' * 1000}: 1\nexclude: 3\n")
    with pytest.raises(SerError, match="classes") as error:
        load_config(path, LabelsConfig)
    assert len(str(error.value)) < 4000


def test_a_path_with_a_nul_in_it_is_an_error_of_ours() -> None:
    with pytest.raises(SerError, match=r"/none/a\\x00b\.wav: embedded null byte"):
        untrained_model().predict("/none/a\0b.wav")


@pytest.mark.parametrize("content", ["{}", "[]", "null", '{"identity": 3}', "{", "[" * 99999])
def test_records_of_another_form(content: str, tmp_path: Path) -> None:
    record = Record(tmp_path, 1, FBANK.model_dump(), {})
    for name, use in (
        ("started.json", lambda: start_or_resume(record)),
        ("started.json", lambda: claim_training_folder(record, 1, force=False)),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(SerError, match=rf"{name}.*remove (it|the file)"):
            use()
        assert (tmp_path / name).exists()
        (tmp_path / name).unlink()
