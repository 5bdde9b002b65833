"""Worker processes end with the program that started them; what cores there are for them."""

import os
import subprocess
import sys

import pytest
from processes import is_running, wait_until

from ser.base import process

PARENT = """
import multiprocessing, time
from ser.base.process import end_with_parent
def work(pipe):
    end_with_parent()
    pipe.send(multiprocessing.current_process().pid)
    time.sleep(60)
if __name__ == "__main__":
    here, there = multiprocessing.get_context("fork").Pipe()
    multiprocessing.get_context("fork").Process(target=work, args=(there,)).start()
    print(here.recv(), flush=True)
    time.sleep(60)
"""


def test_a_worker_does_not_outlive_a_killed_parent() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    assert is_running(worker)
    parent.kill()
    parent.wait()
    wait_until(lambda: not is_running(worker))
    parent.stdout.close()


def test_what_slurm_granted_goes_before_what_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    monkeypatch.setattr("joblib.cpu_count", lambda: 7)
    assert process.num_cores() == 7
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "3")
    assert process.num_cores() == 3


def test_programs_do_not_spin_on_cores_that_others_use() -> None:
    """The variable is there before OpenMP is loaded, and a user's own stays."""
    code = "import os, sys, ser.bin; print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
    for given, expected in (({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")):
        environ = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"} | given
        said = subprocess.run(
            [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True
        ).stdout
        assert said.split() == [expected, "False"]
