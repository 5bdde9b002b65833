"""Jobs side by side: one that is killed, crashes or fails leaves the others alone."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import is_running, wait_until

from ser.base.errors import SerError, StoppedError
from ser.train.launch.job_pool import Ending, JobPool, Report

pytestmark = pytest.mark.long


def test_a_folder_whose_name_is_too_long_for_sockets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / ("x" * 75)))
    with pytest.raises(SerError, match=r"TMPDIR /.*: \d+ bytes; expected at most 75"):
        JobPool(work, [], 1, [])


def work(task: str, place: int, report: Report) -> None:
    """What the tests' jobs do; a task is what to do and, after a blank, with which file."""
    what, _, path = task.partition(" ")
    if what == "write":
        report(1, 2)
        Path(path).write_text(str(place))
    elif what == "resume":
        report(6, 10)
    elif what == "look":
        Path(path).write_text(str("sched" in sys.modules))
    elif what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "leave":
        sys.exit(3)
    elif what == "fail":
        raise SerError("a.yaml: wrong")
    elif what == "tell":
        raise SerError("a" * 100_000)
    elif what == "full":
        raise OSError(28, "No space left on device", "a.ark")
    elif what == "stop":
        raise StoppedError("stopped")
    elif what == "crash":
        raise KeyError("ours")
    elif what in ("late", "deaf"):

        def fail(*_: object) -> None:
            raise OSError(28, "No space left on device", "a.ark")

        if what == "late":
            signal.signal(signal.SIGTERM, fail)
        Path(path).write_text("begun")
        time.sleep(60)
    elif what == "sleep":

        def tidy(number: int, _: object) -> None:
            time.sleep(0.3)
            Path(path).with_suffix(".tidied").touch()
            sys.exit(128 + number)

        signal.signal(signal.SIGTERM, tidy)
        Path(path).write_text(str(os.getpid()))
        time.sleep(60)


def run(tasks: list[str], num_jobs: int) -> dict[int, Ending]:
    endings = {}
    with JobPool(work, tasks, num_jobs, [__name__]) as jobs:
        for ended in jobs:
            assert jobs.num_running <= num_jobs
            endings |= ended
        finished = [ending for ending in endings.values() if ending.reason is None]
        assert len(finished) <= jobs.done < len(finished) + 1
    return endings


LOOK = """
import sys
from test_job_pool import work
from ser.train.launch.job_pool import JobPool
if __name__ == "__main__":
    with JobPool(work, sys.argv[1:], 1, ["test_job_pool", "sched"]) as jobs:
        print(list(jobs))
    assert "sched" not in sys.modules
"""


def with_this_module() -> dict[str, str]:
    """The environment of a program that imports this module."""
    here = Path(__file__).parent
    folders = [str(here), str(here.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}


def test_what_takes_long_to_import_is_there_already(tmp_path: Path) -> None:
    """In a program of its own: the server that forks the jobs is one for all of a program."""
    call = [sys.executable, "-c", LOOK, f"look {tmp_path / 'seen'}"]
    subprocess.run(call, env=with_this_module(), check=True)
    assert (tmp_path / "seen").read_text() == "True"


def test_a_reason_that_does_not_fit_into_a_pipe() -> None:
    """Nobody reads it before the process has ended."""
    endings: dict[int, Ending] = {}
    with JobPool(work, ["tell"], 1, []) as pool:
        for ended in pool:
            endings |= ended
    assert endings[0].reason is not None and set(endings[0].reason) == {"a"}


def test_what_was_done_earlier_is_what_the_first_step_found() -> None:
    with JobPool(work, ["resume", "write /dev/null"], 1, [__name__]) as jobs:
        assert [ended for ended in jobs if ended]
        assert (jobs.done, jobs.done_earlier) == (2, 0.5)


@pytest.mark.parametrize("num_jobs", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_whatever_befalls_one_the_others_go_on(num_jobs: int, tmp_path: Path) -> None:
    first, last = tmp_path / "first", tmp_path / "last"
    failing = ["kill", "leave", "fail", "full", "stop", "crash"]
    endings = run([f"write {first}", *failing, f"write {last}"], num_jobs)
    assert sorted(endings) == list(range(8))
    assert endings[0] == endings[7] == Ending()
    assert [str(endings[i].reason) for i in (3, 4, 5)] == [
        "a.yaml: wrong",
        "a.ark: No space left on device; free some room there and rerun",
        "stopped",
    ]
    assert str(endings[1].reason).startswith("its process was killed by SIGKILL")
    assert str(endings[2].reason).startswith("its process ended with status 3")
    assert endings[6].reason == "KeyError: 'ours'"
    assert [i for i, ending in endings.items() if ending.stopped] == [5]
    assert {first.read_text(), last.read_text()} <= set("012"[:num_jobs])


def wait_for(path: Path) -> int:
    """The number that a job writes into a file."""
    wait_until(lambda: path.exists() and path.read_text())
    return int(path.read_text())


def test_leaving_the_block_ends_what_is_at_work(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    with JobPool(work, [f"sleep {path}", "write " + str(tmp_path / "no")], 1, [__name__]) as jobs:
        for _ in jobs:
            if path.exists():
                break
        pid = wait_for(path)
        assert is_running(pid)
    assert not is_running(pid)
    assert not (tmp_path / "no").exists()


def test_how_jobs_that_were_stopped_ended_is_told(tmp_path: Path) -> None:
    """One says why it fails, one is killed by the request; what waits is not begun."""
    paths = [tmp_path / name for name in ("late", "deaf", "waits")]
    tasks = [f"late {paths[0]}", f"deaf {paths[1]}", f"write {paths[2]}"]
    endings: dict[int, Ending] = {}
    with JobPool(work, tasks, 2, [__name__]) as jobs:
        for ended in jobs:
            endings |= ended
            if all(path.exists() for path in paths[:2]):
                jobs.stop()
    assert endings[0] == Ending("a.ark: No space left on device; free some room there and rerun")
    assert endings[1].stopped and "stopped before its first step" in str(endings[1].reason)
    assert sorted(endings) == [0, 1] and not paths[2].exists()


RARER_ENDS = [
    (signal.SIGTERM, False),
    (signal.SIGKILL, True),
    (signal.SIGINT, False),
    (signal.SIGINT, True),
]
PARENT = """
import sys
from ser.train.launch.job_pool import JobPool
from ser.base.process import exit_on_sigterm
from test_job_pool import work
if __name__ == "__main__":
    with exit_on_sigterm(), JobPool(work, sys.argv[1:], 2, ["test_job_pool"]) as jobs:
        list(jobs)
"""


@pytest.mark.parametrize(
    ("number", "to_group"),
    [
        (signal.SIGTERM, True),
        (signal.SIGKILL, False),
        *(pytest.param(number, group, marks=pytest.mark.slow) for number, group in RARER_ENDS),
    ],
)
def test_no_job_outlives_its_parent(number: signal.Signals, to_group: bool, tmp_path: Path) -> None:
    """Unless the parent is killed, jobs have the time to leave something tidy."""
    paths = [tmp_path / "0", tmp_path / "1"]
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, *(f"sleep {path}" for path in paths)],
        env=with_this_module(),
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )
    pids = [wait_for(path) for path in paths]
    if to_group:
        os.killpg(parent.pid, number)
    else:
        parent.send_signal(number)
    expected = {signal.SIGTERM: 143, signal.SIGINT: -signal.SIGINT, signal.SIGKILL: -9}
    assert parent.wait(30) == expected[number]
    tidied = [path.with_suffix(".tidied").exists() for path in paths]
    assert all(tidied) == (number != signal.SIGKILL)
    wait_until(lambda: not any(map(is_running, pids)))
