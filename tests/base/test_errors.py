"""What a user can cause ends a program with one line and a non-zero status."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import ser
from ser.base.errors import SerError, run_program


@pytest.mark.parametrize(
    ("raised", "line"),
    [
        (SerError("a.yaml: wrong; expected right"), "error: a.yaml: wrong; expected right"),
        (OSError(28, "No space left on device", "dump/feats.ark"), "error: dump/feats.ark: No sp"),
        (OSError("broken"), "error: standard output, or a file without a name: broken"),
    ],
)
def test_one_line(raised: Exception, line: str) -> None:
    def main() -> None:
        raise raised

    with pytest.raises(SystemExit) as end:
        run_program(main)
    assert str(end.value.code).startswith(line)  # sys.exit(text) prints it and returns 1
    assert "\n" not in str(end.value.code)


def test_interruption_has_the_shells_status() -> None:
    def main() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as end:
        run_program(main)
    assert end.value.code == 130


def test_our_own_mistakes_are_not_hidden() -> None:
    def main() -> None:
        raise AssertionError("ours")

    with pytest.raises(AssertionError, match="ours"):
        run_program(main)


@pytest.mark.parametrize("program", ["verify", "finetune"])
def test_interrupted_while_it_imports(program: str, tmp_path: Path) -> None:
    (tmp_path / "pydantic.py").write_text("import os; os.kill(os.getpid(), 2)\n")
    path = os.pathsep.join([str(tmp_path), str(Path(ser.__file__).parents[1])])
    command = [sys.executable, "-m", f"ser.bin.{program}"]
    ended = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True)
    assert (ended.returncode, ended.stderr) == (-signal.SIGINT, b"")


def test_interrupted_once_it_runs() -> None:
    code = (
        "import sys; sys.argv = ['-m']; import os, ser.bin; from ser.base.errors import run_program"
        "; run_program(lambda: os.kill(os.getpid(), 2))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 130
