"""Prediction runs on Windows and macOS: nothing that only Linux has is needed for it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tracked import ROOT

POSIX_ONLY = ("fcntl", "resource", "pwd", "grp", "termios", "pty")
PREDICT = f"""
import os, signal, sys
for name in {POSIX_ONLY}:
    sys.modules[name] = None
for holder, name in ((os, "sched_getaffinity"), (os, "fork"), (signal, "pthread_sigmask")):
    delattr(holder, name)
from ser.bin.ser_predict import main
sys.argv[0] = "ser-predict"
main()
"""


@pytest.mark.usefixtures("trained")
def test_a_package_predicts_without_what_linux_has(package: Path, tmp_path: Path) -> None:
    audio = tmp_path / "a.wav"
    soundfile.write(audio, 0.1 * np.random.default_rng(0).normal(size=16000), 16000)
    words = [str(package), str(audio), "--format", "tsv"]
    done = subprocess.run(
        [sys.executable, "-c", PREDICT, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert str(audio) in done.stdout


def test_shell_scripts_keep_their_line_ends() -> None:
    assert "*.sh text eol=lf" in (ROOT / ".gitattributes").read_text().splitlines()
    assert not [path for path in ROOT.glob("egs/*/*.sh") if b"\r" in path.read_bytes()]
