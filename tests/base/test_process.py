"""Worker processes end with the program that started them; what cores there are for them."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

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


@pytest.mark.parametrize(
    ("files", "line", "expected"),
    [
        ({"cpu.max": "150000 100000"}, "0::/outside/name", 1.5),
        ({"cpu.max": "max 100000"}, "0::/", None),
        ({"a/b/cpu.max": "max 100000", "a/cpu.max": "50000 100000"}, "0::/a/b", 0.5),
        ({"cpu,cpuacct/a/cpu.cfs_quota_us": "200000"}, "4:cpu,cpuacct:/a", 2.0),
        ({"cpu,cpuacct/a/cpu.cfs_quota_us": "-1"}, "4:cpu,cpuacct:/a", None),
        ({"memory/cpu.max": "100000 100000"}, "5:memory:/", None),
        ({}, "0::/", None),
    ],
)
def test_the_share_of_a_container(
    tmp_path: Path, files: dict[str, str], line: str, expected: float | None
) -> None:
    root = tmp_path / "cgroup"
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
        if name.endswith("quota_us"):
            path.with_name("cpu.cfs_period_us").write_text("100000\n")
    own = tmp_path / "self"
    assert process._cgroup_quota(own, root) is None, "no Linux"
    own.write_text(f"{line}\n")
    assert process._cgroup_quota(own, root) == expected


def test_cores_are_those_of_the_smallest_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    monkeypatch.setattr(process, "usable_cores", lambda: 8)
    for quota, cores in ((None, 8), (2.9, 2), (0.5, 1), (64.0, 8)):
        monkeypatch.setattr(process, "_cgroup_quota", lambda *_, quota=quota: quota)
        assert process.num_cores() == cores
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
