"""Kills, stops and clocks: what is killed again and again ends as the undisturbed experiment."""

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import pytest
import yaml
from damage import interrupted, nothing
from experiment import CALLS, FOLD, OUTPUTS, SYSTEM, differences, do, undone
from processes import wait_until
from tracked import ROOT
from undisturbed import Undisturbed

from ser.base.process import is_alive

KILLS = 20  # 200 by counts.py
KILLS_OF_ONE = 10  # before an experiment may end and is looked at
STAGES = [name for name in CALLS if name not in ("verify", "ser_predict")]
SHORTEST_SECONDS = 0.02

pytestmark = pytest.mark.long


def begin_anew(reference: Undisturbed) -> None:
    """The corpus and the configuration alone."""
    reference.copy()
    for name in ("data", "dump", "exp", "model"):
        shutil.rmtree(name)
    Path("model.tar.gz").unlink()


def forked(names: Sequence[str]) -> int:
    """Does calls one behind the other in a process of their own; returns its number."""
    child = os.fork()
    if child == 0:
        os._exit(next((1 for name in names if do(name).status), 0))
    return child


def ended(child: int) -> int:
    """How a process ended; below 0 by a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_often(reference: Undisturbed, kills: int, seed: int) -> tuple[int, list[str]]:
    """Kills whole experiments at random moments, and lets each end at last.

    Returns:
        How many kills met a process that was at work; what differs from the undisturbed one.
    """
    chance = random.Random(seed)
    began = time.monotonic()
    begin_anew(reference)
    assert ended(forked(STAGES)) == 0
    longest = time.monotonic() - began
    done, wrong = 0, []
    while done < kills:
        begin_anew(reference)
        for _ in range(min(KILLS_OF_ONE, kills - done)):
            child = forked(STAGES)
            time.sleep(SHORTEST_SECONDS * (longest / SHORTEST_SECONDS) ** chance.random())
            os.kill(child, signal.SIGKILL)
            done += ended(child) == -signal.SIGKILL
        if status := ended(forked(STAGES)):
            wrong.append(f"after {done} kills: status {status}")
        wrong += [f"after {done} kills: {name}" for name in differences(reference.content)]
    return done, wrong


def test_killed_at_random(reference: Undisturbed) -> None:
    assert kill_often(reference, KILLS, seed=1) == (KILLS, [])


def test_stopped_and_continued(reference: Undisturbed) -> None:
    begin_anew(reference)
    child = forked(STAGES)
    for _ in range(5):
        time.sleep(0.1)
        os.kill(child, signal.SIGSTOP)
        time.sleep(0.1)
        os.kill(child, signal.SIGCONT)
    assert ended(child) == 0
    assert not differences(reference.content)


@pytest.mark.parametrize("name", [name for name, outputs in OUTPUTS.items() if outputs])
def test_the_clock_is_set_back(name: str, reference: Undisturbed) -> None:
    undone(name)
    if name in ("fold1", "pretrain"):
        interrupted(name, nothing)()
    clock = time.time
    with patch.object(time, "time", lambda: clock() - 86400):
        said = do(name)
    assert said.status == 0, said.err
    assert not differences(reference.content)


@pytest.mark.slow
def test_run_script_that_is_ended_in_stage_4(reference: Undisturbed) -> None:
    """SIGTERM to run.sh alone: the training beside it writes its checkpoint and leaves."""
    undone("fold1")
    for path in ("run.sh", "path.sh", "cmd.sh", "db.sh"):
        shutil.copy(ROOT / "egs" / "mini" / path, path)
    path = Path(f"conf/systems/{SYSTEM}.yaml")
    config = yaml.safe_load(path.read_text())
    config["training"] |= {"max_epochs": 10000, "checkpoint_steps": None}
    path.write_text(yaml.safe_dump(config))
    words = ["--stage", "4", "--stop-stage", "4", "--systems", SYSTEM, "--folds", "1"]
    with Path("said").open("wb") as said:
        script = subprocess.Popen(["./run.sh", *words], stdout=said, stderr=said)
    metrics_log = Path(FOLD, "train.jsonl")
    wait_until(
        lambda: (metrics_log.exists() and metrics_log.stat().st_size) or script.poll() is not None
    )
    assert script.poll() is None, Path("said").read_text()
    workers = subprocess.run(
        ["pgrep", "-f", "ser.bin.finetune"], capture_output=True, text=True, check=True
    )
    here = [int(w) for w in workers.stdout.split() if cwd_of(int(w)) == Path.cwd()]
    assert here
    script.terminate()
    script.wait()
    wait_until(lambda: not any(map(is_alive, here)))
    assert "its checkpoint is written; rerun the command" in Path(FOLD, "train.log").read_text()
    assert Path(FOLD, "checkpoint", "progress.json").exists()


def cwd_of(process: int) -> Path | None:
    """Where a process works; None where it has ended."""
    try:
        return Path(f"/proc/{process}/cwd").readlink()
    except OSError:
        return None
