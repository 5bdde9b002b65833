"""Pre-training by torchrun: a killed process, a SIGTERM, and the same bits in the end."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from processes import wait_until
from programs import call
from tiny_recipe import EXP, PRETRAIN_PATH, change_config, change_system
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from ser.base.errors import run_program
from ser.base.record import identity_of, read_record
from ser.bin.pretrain import main as pretrain_main
from ser.config.schema import PretrainConfig

pytestmark = [pytest.mark.usefixtures("recipe"), pytest.mark.slow]
FOLDER = EXP / "pretrain" / "ctc"
# The program, which at its very end names the threads of gloo that live.
TOLD = """
import atexit
from pathlib import Path
from ser.base.errors import run_program

def tell():
    names = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
    print(f"threads at the end: {[name for name in names if 'gloo' in name]}\\n", end="")

atexit.register(tell)
from ser.bin.pretrain import main
run_program(main)
"""


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
    """Calls the program under torchrun's agent, forked, which spares the imports of three."""
    output = Path(f"{out}.output")
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            sys.stdout = sys.stderr = output.open("w", buffering=1)
            config = LaunchConfig(
                min_nodes=1,
                max_nodes=1,
                nproc_per_node=2,
                rdzv_backend="c10d",
                rdzv_endpoint="localhost:0",
                run_id=out,
                # A process whose autograd has threads for a GPU cannot be forked.
                start_method="spawn" if torch.cuda.is_available() else "fork",
                max_restarts=0,  # as torchrun has it
            )
            elastic_launch(config, work)(out)
            status = 0
        except Exception:  # as a program of its own would: said, and the status tells
            traceback.print_exc()
        finally:
            os._exit(status)
    return Launched(pid, output)


def words(out: str) -> list[str]:
    """The command line."""
    words = ["--conf", "conf", "--systems", "transformer_tl", "--data", "data"]
    return [*words, "--feats", "dump/fbank", "--bpe", "exp/bpe", "--out", out]


def work(out: str) -> None:
    """What a worker does."""
    sys.argv = ["pretrain", *words(out)]
    run_program(pretrain_main)


def finish(process: Launched) -> tuple[int, str]:
    wait_until(lambda: process.poll() is not None, 120)
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


def test_options_of_torchrun_that_are_none() -> None:
    said = call("torchrun", "--nproc-per-node", "zero", "x.py")
    assert said.status == 1
    assert said.err.splitlines()[-1].startswith("error: torchrun: Unsupported nproc_per_node value")
    assert "Traceback" not in said.err


def test_a_second_encoder_begins_with_the_first_and_time_that_is_up_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The processes wait for the first one, which writes the weights; 75 is the status of both."""
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "2")
    second = PRETRAIN_PATH.with_name("second.yaml")
    shutil.copy(PRETRAIN_PATH, second)
    change_config(second, PretrainConfig, init="ctc")
    change_system("transformer_tl", init="second")
    shutil.rmtree(FOLDER)
    command = [sys.executable, "-m", "ser.bin.torchrun", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "ser.bin.pretrain", *words("exp/pretrain")]
    stopped = subprocess.run(
        [*command, "--max-minutes", "1e-6"], check=False, capture_output=True, text=True
    )
    assert stopped.returncode == 75
    assert "rerun the command to go on" in stopped.stderr and "Traceback" not in stopped.stderr
    Path("told.py").write_text(TOLD, encoding="utf-8")
    command[command.index("-m", 3) :] = ["told.py", *words("exp/pretrain")]
    through = subprocess.run(command, check=False, capture_output=True, text=True)
    assert through.returncode == 0, through.stderr
    # A thread of gloo that outlives its group aborts now and then a process that ends.
    assert re.findall("threads at the end: .*", through.stdout) == 2 * ["threads at the end: []"]
    made_from = read_record(EXP / "pretrain" / "second")["inputs"][str(FOLDER)]
    assert made_from == identity_of(read_record(FOLDER)) != read_record(FOLDER)["identity"]


def test_killed_and_stopped_and_resumed_equals_run_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "SLURM_CPUS_PER_TASK", "2"
    )  # one thread each: OpenMP's do not survive a fork
    shutil.rmtree(FOLDER)
    change_config(
        PRETRAIN_PATH, PretrainConfig, training__max_epochs=60, training__checkpoint_steps=7
    )
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [sys.executable, *torchrun, "-m", "ser.bin.pretrain", *words("through")]
    subprocess.run(command, check=True)
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
