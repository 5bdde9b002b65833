"""What a user can cause ends a program with one line and a non-zero status."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tracked import ROOT

from ser.base.errors import SerError, run_program


@pytest.mark.parametrize(
    ("raised", "line"),
    [
        (SerError("a.yaml: wrong; expected right"), "error: a.yaml: wrong; expected right"),
        (OSError(28, "No space left on device", "dump/feats.ark"), "error: dump/feats.ark: No sp"),
        (UnicodeEncodeError("utf-8", "a/\udce9", 2, 3, "no"), r"error: 'a/\udce9': not UTF-8; exp"),
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


def test_our_own_mistakes_are_not_hidden() -> None:
    def main() -> None:
        raise AssertionError("ours")

    with pytest.raises(AssertionError, match="ours"):
        run_program(main)


CLOSING = """
import os, sys; [os.close(int(n)) for n in sys.argv[1:]]
sys.argv[1:] = ["-c"]; os.execv(sys.executable, [sys.executable, "-c", {code!r}])
"""
WORKING = """
import os
from ser.base.errors import run_program

def main():
    [os.fstat(number) for number in range(3)]
    print("out", flush=True)
    open("file", "w")
    os.write(2, b"err")

run_program(main)
"""


@pytest.mark.parametrize(
    ("closed", "status", "out"), [("0", 0, b"out\n"), ("2", 0, b"out\n"), ("0 1", 1, b"")]
)
def test_streams_that_are_closed(closed: str, status: int, out: bytes, tmp_path: Path) -> None:
    command = [sys.executable, "-c", CLOSING.format(code=WORKING), *closed.split()]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, env=env, cwd=tmp_path, stdout=subprocess.PIPE, check=False)
    assert (ended.returncode, ended.stdout) == (status, out)
    file = tmp_path / "file"
    assert not file.exists() or file.read_bytes() == b"", "no file is opened as standard error"


@pytest.mark.parametrize("program", ["verify", "finetune"])
def test_interrupted_while_it_imports(program: str, tmp_path: Path) -> None:
    (tmp_path / "pydantic.py").write_text("import os; os.kill(os.getpid(), 2)\n")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    command = [sys.executable, "-m", f"ser.bin.{program}"]
    ended = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True)
    assert (ended.returncode, ended.stderr) == (-signal.SIGINT, b"")


def test_interrupted_once_it_runs() -> None:
    code = (
        "import sys; sys.argv = ['ser-predict']; import os, ser.bin; "
        "from ser.base.errors import run_program; run_program(lambda: os.kill(os.getpid(), 2))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 130
