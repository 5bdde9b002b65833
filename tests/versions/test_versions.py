"""What an earlier version made, this one reads: the files of ``make.py``, a folder a version."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from make import CONFIGS, resumed, said
from programs import call

import ser
from ser.base.files import digest_file, read_json
from ser.config.load import load_config
from ser.infer.loading import load

HERE = Path(__file__).parent
MOST_BYTES = 500_000
VERSIONS = sorted(path.name for path in HERE.glob("*.*.*"))
of_each_version = pytest.mark.parametrize("version", VERSIONS)


def test_this_version_has_its_files() -> None:
    assert ser.__version__ in VERSIONS


@of_each_version
def test_they_are_small(version: str) -> None:
    files = [path for path in (HERE / version).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MOST_BYTES


@of_each_version
@pytest.mark.parametrize("name", ["package", "model.onnx", "run"])
def test_a_model_says_what_it_said(version: str, name: str) -> None:
    expected = read_json(HERE / version / "expected.json")[name]
    found = said(load(HERE / version / name))
    assert found.keys() == expected.keys()
    for signal, told in expected.items():
        assert found[signal]["words"] == told["words"]
        assert found[signal]["posteriors"] == pytest.approx(told["posteriors"], abs=1e-5)


@of_each_version
def test_a_checkpoint_stands_where_it_stood(version: str) -> None:
    expected = read_json(HERE / version / "expected.json")["interrupted"]
    found = resumed(HERE / version / "interrupted")
    assert expected["progress"]["step"] > 0
    assert {k: found["progress"][k] for k in expected["progress"]} == expected["progress"]
    assert found["weights"] == pytest.approx(expected["weights"], rel=1e-9)
    assert found["moments"] == pytest.approx(expected["moments"], rel=1e-9)


@of_each_version
@pytest.mark.parametrize("name", CONFIGS)
def test_a_configuration_is_read_as_it_was(version: str, name: str) -> None:
    """Keys that have come since may be there beside the earlier ones."""
    path = HERE / version / "conf" / name.replace("/conf/", "/")
    assert_holds(
        load_config(path, CONFIGS[name]).model_dump(), read_json(path.with_suffix(".json"))
    )


def assert_holds(found: Any, expected: Any) -> None:
    if isinstance(expected, dict) and isinstance(found, dict):
        for key, value in expected.items():
            assert_holds(found[key], value)
    else:
        assert found == expected


@of_each_version
def test_predictions_are_scored_as_they_were(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``results.json`` and its report, rebuilt from the tables alone."""
    shutil.copytree(HERE / version / "exp", tmp_path / "exp")
    monkeypatch.chdir(tmp_path)
    ended = call("verify", "exp")
    assert ended.status == 0, ended.err + ended.out


@of_each_version
def test_the_files_are_those_that_were_made(version: str) -> None:
    """A fixture that is made anew by a later version would hold nothing."""
    package = read_json(HERE / version / "package" / "package.json")
    assert package["ser_version"] == version
    assert digest_file(HERE / version / "run" / "model.safetensors") == package["digests"][
        "fold1.safetensors"
    ]  # fmt: skip
