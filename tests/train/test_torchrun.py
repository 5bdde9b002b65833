"""Pre-training by torchrun: a killed process, a SIGTERM, and the same bits in the end."""

import json
import os
import shutil
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from tiny_recipe import EXP, PRETRAIN_PATH, change_config
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from ser.base.errors import run_program
from ser.bin.pretrain import main as pretrain_main
from ser.config.schema import PretrainConfig

pytestmark = [pytest.mark.usefixtures("recipe"), pytest.mark.slow]
FOLDER = EXP / "pretrain" / "ctc"


@dataclass
class Launched:
    """torchrun's agent, which has two workers.

    Attributes:
        pid: Its process.
        output: What all of them print.
        status: Of its end, once it was waited for.
    """

    pid: int
    output: Path
    status: int | None = None

    def poll(self) -> int | None:
        if self.status is None:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(status) if done else None
        return self.status


def start(out: str) -> Launched:
    """Calls the program under torchrun's agent; forked, which spares three times the imports.

    ``python -m torch.distributed.run`` itself: tests/gpu/test_runs.py and tests/slurm.
    """
    output = Path(f"{out}.output")
    pid = os.fork()
    if pid == 0:
        sys.stdout = sys.stderr = output.open("w", buffering=1)
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=2,
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            run_id=out,
            start_method="fork",
            max_restarts=0,  # as torchrun has it
        )
        status = 1
        try:
            elastic_launch(config, work)(out)
            status = 0
        except ChildFailedError as error:
            print(error, flush=True)
        finally:
            os._exit(status)
    return Launched(pid, output)


def work(out: str) -> None:
    """What a worker does."""
    program = ["pretrain", "--conf", "conf", "--systems", "transformer_tl", "--data", "data"]
    sys.argv = [*program, "--feats", "dump/fbank", "--bpe", "exp/bpe", "--out", out]
    run_program(pretrain_main)


def finish(process: Launched) -> tuple[int, str]:
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert process.status is not None
    return process.status, process.output.read_text()


def wait_for_checkpoint(folder: Path, after_step: int, process: Launched) -> int:
    """The step of the first checkpoint after a given one."""
    began = time.monotonic()
    while time.monotonic() - began < 90 and process.poll() is None:
        path = folder / "checkpoint" / "progress.json"
        try:
            step = int(json.loads(path.read_text())["progress"]["step"])
        except FileNotFoundError:  # between the renames of a replacement too
            step = -1
        if step > after_step:
            return step
        time.sleep(0.01)
    pytest.fail(f"no checkpoint after step {after_step}: {finish(process)[1]}")


def workers(process: Launched) -> list[int]:
    """The process ids of torchrun's workers, in the order in which it started them."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return sorted(map(int, children.read_text().split()))


def test_killed_and_stopped_and_resumed_equals_run_through() -> None:
    shutil.rmtree(FOLDER)
    change_config(
        PRETRAIN_PATH, PretrainConfig, training__max_epochs=60, training__checkpoint_steps=7
    )
    status, output = finish(start("through"))
    assert status == 0, output
    record = json.loads(Path("through/ctc/run.json").read_text())
    assert record["notes"]["num_processes"] == 2

    process = start("resumed")
    step = wait_for_checkpoint(Path("resumed/ctc"), 0, process)
    os.kill(workers(process)[1], signal.SIGKILL)
    status, output = finish(process)
    assert status != 0
    assert not Path("resumed/ctc/model.safetensors").exists()

    process = start("resumed")
    wait_for_checkpoint(Path("resumed/ctc"), step, process)
    os.kill(workers(process)[0], signal.SIGTERM)
    status, output = finish(process)
    assert status != 0
    assert "its checkpoint is written; rerun the command to go on" in output

    status, output = finish(start("resumed"))
    assert status == 0, output
    log = Path("resumed/ctc/train.log").read_text()
    assert log.count("going on after step") == 2
    first, second = (Path(f"{out}/ctc/model.safetensors") for out in ("through", "resumed"))
    assert first.read_bytes() == second.read_bytes()
