"""``kill`` of run.sh alone ends the program that works for it, as Ctrl-C ends both."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from processes import wait_until

from ser.base.process import is_alive

pytestmark = pytest.mark.long

PROGRAM = """
import os, pathlib, time
from ser.base.errors import run_program
from ser.base.process import exit_on_sigterm

def main():
    pathlib.Path("begun").write_text(str(os.getpid()))
    with exit_on_sigterm():
        try:
            time.sleep(60)
        finally:
            pathlib.Path("tidied").touch()

run_program(main)
"""


@pytest.mark.parametrize(
    "call",
    ['"$PYTHON" program.py', """bash -c '"$PYTHON" program.py; :'"""],
    ids=["its own", "of a script that it calls"],
)
def test_what_works_for_it_is_ended(tmp_path: Path, call: str) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    shell = subprocess.Popen(
        ["bash", "-c", f"export SER_RUN_PID=$$; {call}; :"],
        cwd=tmp_path,
        env={**os.environ, "PYTHON": sys.executable},
    )
    begun = tmp_path / "begun"
    wait_until(lambda: begun.exists() and begun.read_text())
    program = int(begun.read_text())
    shell.send_signal(signal.SIGTERM)
    shell.wait()
    wait_until(lambda: not is_alive(program))
    assert (tmp_path / "tidied").exists()
