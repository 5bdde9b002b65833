"""Worker processes end with the program that started them, also when that is killed."""

import os
import subprocess
import sys
import time

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


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as stream:  # noqa: PTH123 - it may vanish: one call
        return stream.read().rpartition(")")[2].split()[0] != "Z"


def test_a_worker_does_not_outlive_a_killed_parent() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    assert is_alive(worker)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while is_alive(worker) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_alive(worker)
    parent.stdout.close()
