"""Pre-training by torchrun: a killed process, a SIGTERM, and the same bits in the end."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_recipe import EXP, PRETRAIN_PATH, change_config

from ser.config.schema import PretrainConfig

pytestmark = [pytest.mark.usefixtures("recipe"), pytest.mark.slow]
FOLDER = EXP / "pretrain" / "ctc"


def start(out: str) -> subprocess.Popen[str]:
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    program = ["-m", "ser.bin.pretrain", "--conf", "conf", "--systems", "transformer_tl"]
    paths = ["--data", "data", "--feats", "dump/fbank", "--bpe", "exp/bpe", "--out", out]
    return subprocess.Popen(
        [sys.executable, *torchrun, *program, *paths],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    output = process.communicate(timeout=120)[0]
    return process.returncode, output


def wait_for_checkpoint(folder: Path, after_step: int, process: subprocess.Popen[str]) -> int:
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


def workers(process: subprocess.Popen[str]) -> list[int]:
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
