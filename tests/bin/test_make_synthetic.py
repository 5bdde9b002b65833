"""The program that generates the corpora of egs/mini."""

import subprocess
import sys
from pathlib import Path

from programs import call

WITHOUT_VOICE = """
import runpy, sys
sys.modules["espeakng_loader"] = None
sys.argv = ["make_synthetic", sys.argv[1]]
runpy.run_module("ser.bin.make_synthetic", run_name="__main__")
"""


def test_a_missing_voice_is_one_line(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_VOICE, str(tmp_path / "corpus")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr.startswith("error: espeakng_loader: no such Python package")
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "corpus").exists()


def test_an_existing_corpus_is_kept(tmp_path: Path) -> None:
    result = call("make_synthetic", tmp_path)
    assert result.status == 0
    assert "there already" in result.err
    assert not any(tmp_path.iterdir())
