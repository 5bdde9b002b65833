"""The wheel alone, from a directory with nothing else in it, loads and uses a packed model."""

import shutil
import subprocess
import sys
import zipfile
from email import message_from_string
from pathlib import Path

import pytest
from tiny_audio import plant_files
from tracked import ROOT

import ser

USE = """
import sys
sys.path.insert(0, sys.argv[1])
import ser
from ser import load
from ser.bin.ser_predict import program
assert ser.__file__.startswith(sys.argv[1])
result = load(sys.argv[2]).predict(sys.argv[3])
sys.argv = ["ser-predict", *sys.argv[2:], "--html", "page.html"]
program()
print(result.label)
"""


def check_metadata(unpacked: Path) -> None:
    """The licence's text and the notice are in the wheel, and its metadata name them."""
    (info,) = unpacked.glob("*.dist-info")
    for name, said in (("LICENSE", "Apache License"), ("NOTICE", "Copyright (c) 2022 OpenAI")):
        assert said in (info / "licenses" / "ser" / name).read_text()
        assert said in (unpacked / "ser" / name).read_text()  # which a package copies
    metadata = message_from_string((info / "METADATA").read_text())
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Version"] == ser.__version__
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload().lstrip().startswith("# ser:")
    assert {"hub", "demo", "onnx"} <= set(metadata.get_all("Provides-Extra"))


@pytest.mark.slow
def test_the_wheel_is_all_that_a_package_needs(package: Path, tmp_path: Path) -> None:
    pytest.importorskip("setuptools")
    model = package.rename(tmp_path / "model")
    source, wheels, alone = tmp_path / "source", tmp_path / "wheels", tmp_path / "alone"
    source.mkdir()
    for name in ("setup.py", "README.md"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "ser", source / "ser", ignore=shutil.ignore_patterns("__pycache__"))
    built = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"),
            *("--no-build-isolation", "--wheel-dir", str(wheels), str(source)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = wheels.iterdir()
    zipfile.ZipFile(wheel).extractall(tmp_path / "unpacked")
    check_metadata(tmp_path / "unpacked")
    alone.mkdir()
    used = subprocess.run(
        [
            *(sys.executable, "-I", "-c", USE, str(tmp_path / "unpacked"), str(model)),
            str(plant_files(tmp_path)[0]),
        ],
        cwd=alone,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (used.returncode, used.stderr) == (0, "")
    assert used.stdout.strip() in ("ang", "hap", "neu", "sad")
    assert "<svg" in (alone / "page.html").read_text()
