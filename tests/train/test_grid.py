"""Runs side by side: one that fails or is killed is named and does not stop the others."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from processes import wait_until
from tiny import reseal
from tiny_recipe import CONF, EXP, FEATS, change_system, finetune_run, is_trained, weights

from ser.base.errors import SerError, StoppedError
from ser.config.network import ReadoutConfig
from ser.train.finetune import finetune
from ser.train.launch import local as grid
from ser.train.launch.local import Display, encode_first, finetune_all, visible_gpus
from ser.train.resolve import FinetuneRun, resolve

pytestmark = pytest.mark.usefixtures("recipe")
SYSTEM = "transformer_tl_mtl"
LONG, ENDLESS = "cnn_blstm_sa", {"training__max_epochs": 100_000}


def writers(path: Path) -> list[int]:
    """The processes that have a file open."""
    found = []
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if descriptor.resolve() == path.resolve():
                found.append(int(descriptor.parts[2]))
        except OSError:  # it has gone meanwhile
            continue
    return found


def wait_until_training(run: FinetuneRun) -> int:
    """Waits for a run's first reports; returns its process."""
    report = run.folder / "train.jsonl"
    wait_until(lambda: report.exists() and report.stat().st_size)
    (pid,) = writers(report)
    return pid


@pytest.mark.parametrize("num_jobs", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_failed_run_does_not_stop_the_others(num_jobs: int) -> None:
    """The first folder holds a run of another configuration, which only --force moves."""
    runs = [finetune_run(SYSTEM, fold) for fold in "123"]
    finetune(runs[0])
    os.utime(runs[0].folder / "train.log", (0, 0))  # of a while ago
    change_system(SYSTEM, optimizer__learning_rate=2e-3)
    with pytest.raises(SerError) as caught:
        finetune_all(runs, num_jobs)
    first, reason = str(caught.value).splitlines()
    assert first == "1 of 3 runs failed; rerun the command to do those alone:"
    assert reason.startswith(f"  {runs[0].name}: {runs[0].folder}: holds another run")
    assert "--force" in reason  # and nothing of the log of the run that is there
    assert [is_trained(run) for run in runs] == [False, True, True]

    elsewhere = finetune_run(SYSTEM, "3", exp_dir=Path("elsewhere"))
    elsewhere.exp_dir.mkdir()
    (elsewhere.exp_dir / "folds").symlink_to((EXP / "folds").resolve())
    finetune(elsewhere)
    assert weights(runs[2]) == weights(elsewhere), "side by side or alone: the same bits"


@pytest.mark.slow
def test_a_killed_run_is_named_and_the_others_finish() -> None:
    """A rerun does the killed one alone."""
    change_system(LONG, **ENDLESS)
    runs = [finetune_run(LONG), *(finetune_run(SYSTEM, fold) for fold in "12")]

    def kill() -> None:
        os.kill(wait_until_training(runs[0]), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(SerError, match="1 of 3 runs failed") as caught:
        finetune_all(runs, 2)
    killer.join()
    assert f"{runs[0].name}: its process was killed by SIGKILL" in str(caught.value)
    assert "INFO epoch 1, step " in str(caught.value)
    assert [is_trained(run) for run in runs] == [False, True, True]

    before = [(run.folder / "run.json").stat().st_mtime_ns for run in runs[1:]]
    change_system(LONG, training__max_epochs=1)
    finetune_all([replace(run, force=True) for run in runs], 2)
    assert all(map(is_trained, runs))
    assert [(run.folder / "run.json").stat().st_mtime_ns for run in runs[1:]] == before


def test_an_unexpected_error_is_named_and_its_traceback_logged() -> None:
    runs = [finetune_run(SYSTEM, "1", num_threads=0), finetune_run(SYSTEM, "2")]
    with pytest.raises(SerError, match="1 of 2 runs failed") as caught:
        finetune_all(runs, 2)
    log = runs[0].folder / "train.log"
    reason = "RuntimeError: set_num_threads expects a positive integer"
    assert f"  {runs[0].name}: {reason}\n    the end of {log}:\n" in str(caught.value)
    assert "Traceback (most recent call last):\n" in log.read_text()
    assert is_trained(runs[1])


def test_what_a_kill_left_of_a_finished_run_is_removed() -> None:
    run = finetune_run("transformer")
    finetune_all([run], 1)
    left = [run.folder / name for name in ("checkpoint", ".checkpoint.old", "epochs")]
    for folder in left:
        folder.mkdir()
        (folder / "model.safetensors").touch()
    finetune_all([run], 1)
    assert not any(map(Path.exists, left))
    assert is_trained(run)


def test_every_failure_is_named() -> None:
    runs = [finetune_run(system) for system in ("cnn_blstm_sa", "transformer")]
    text = FEATS / "ser" / "utt2emo"
    text.write_text("".join(f"{line[:-3]}ang\n" for line in text.read_text().splitlines()))
    reseal(text.parent)
    with pytest.raises(SerError, match="2 of 2 runs failed") as caught:
        finetune_all(runs, 1)
    for run in runs:
        assert f"  {run.name}: dump/fbank/ser: no hap in" in str(caught.value)
        assert f"{run.folder / 'train.log'}:\n" in str(caught.value)
        assert " ERROR dump/fbank/ser: no hap in" in (run.folder / "train.log").read_text()


def test_what_is_missing_is_told_before_anything_is_trained() -> None:
    runs = [finetune_run("transformer", fold=fold) for fold in ("1", "9")]
    with pytest.raises(SerError, match=r"^--folds 9: no such fold; expected some of: 1, 2, 3"):
        finetune_all(runs, 1)
    (EXP / "pretrain" / "ctc" / "run.json").unlink()
    runs = [finetune_run("transformer"), finetune_run("transformer_tl")]
    with pytest.raises(SerError, match=r"^exp/pretrain/ctc: not there.*--stage 3"):
        finetune_all(runs, 1)
    assert not (EXP / "transformer").exists()


def test_time_that_is_up_stops_what_is_at_work_and_begins_no_more() -> None:
    change_system(LONG, **ENDLESS)
    runs = [finetune_run(LONG, fold, deadline=time.monotonic() + 3) for fold in "12"]
    with pytest.raises(StoppedError, match="stopped with 0 of 2 runs finished; rerun the command"):
        finetune_all(runs, 1)
    assert not writers(runs[0].folder / "train.jsonl")
    assert not runs[1].folder.exists()


PROGRAM = """
from pathlib import Path
from ser.base.errors import run_program
from ser.base.log import log_to_console
from ser.train.launch.local import finetune_all
from tiny_recipe import finetune_run, is_trained
def main():
    log_to_console()
    finetune_all([finetune_run("cnn_blstm_sa", fold) for fold in "123"], 2)
if __name__ == "__main__":
    run_program(main)
"""


@pytest.mark.slow
def test_nothing_outlives_the_program() -> None:
    """SIGTERM for all its processes: the runs write their checkpoints and leave."""
    change_system(LONG, **ENDLESS)
    runs = [finetune_run(LONG, fold) for fold in "12"]
    tests = str(Path(__file__).parents[1])
    path = os.pathsep.join([tests, *filter(None, [os.environ.get("PYTHONPATH")])])
    parent = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONPATH": path},
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    for run in runs:
        wait_until_training(run)
    os.killpg(parent.pid, signal.SIGTERM)
    _, said = parent.communicate(timeout=60)
    assert parent.returncode == 143
    assert said.decode().splitlines()[-1].startswith("stopping what is at work (2)")
    assert not any(writers(run.folder / "train.jsonl") for run in runs)
    assert all((run.folder / "checkpoint" / "progress.json").exists() for run in runs)


def test_copies_that_one_system_wants_are_encoded_before_the_runs() -> None:
    """Whatever another system wants, which starts from the same encoder."""
    shutil.copytree(FEATS / "ser", FEATS / "ser_sp0.9")
    names = "transformer_tl", "one_speed"
    one, other = (CONF / "systems" / f"{name}.yaml" for name in names)
    change_system(names[0], readout=ReadoutConfig(type="mean"), optimizer__frozen=["encoder"])
    shutil.copy(one, other)
    change_system(names[0], training__speed_factors=[0.9])
    encode_first([resolve(finetune_run(name)) for name in names])
    assert (EXP / "encoded" / "ctc.mean" / "ser_sp0.9" / "run.json").exists()


def test_each_run_gets_a_gpu_that_the_program_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert visible_gpus(0) == []
    assert visible_gpus(2) == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,GPU-8932f937,7")
    assert visible_gpus(2) == ["4", "GPU-8932f937"]
    with pytest.raises(SerError, match="--ngpu 4: PyTorch sees 3 GPUs; expected 4"):
        visible_gpus(4)


@pytest.mark.parametrize(("earlier", "minutes"), [(0.0, (3, 2)), (0.5, (6, 3))])
def test_without_a_terminal_a_line_a_minute_tells_how_far_it_is(
    earlier: float, minutes: tuple[int, int], monkeypatch: pytest.MonkeyPatch, log: Any
) -> None:
    """What an earlier call did took none of the time of this one."""
    now = 1000.0
    monkeypatch.setattr(grid.time, "monotonic", lambda: now)
    with Display(4) as display:
        for seconds, done in ((1, 0.0), (59, 0.9), (60, 1.0), (90, 1.5), (121, 2.0)):
            now = 1000.0 + seconds
            display.show(done, "2 running, ", earlier)
    assert log.lines == [
        f"1.0 of 4 runs (2 running, 0 finished, 0 failed), about {minutes[0]} min left",
        f"2.0 of 4 runs (2 running, 0 finished, 0 failed), about {minutes[1]} min left",
    ]


def test_the_time_left_follows_a_change_of_pace(monkeypatch: pytest.MonkeyPatch, log: Any) -> None:
    """Ten runs of a minute each, then five of ten minutes each."""
    now = 1000.0
    monkeypatch.setattr(grid.time, "monotonic", lambda: now)
    with Display(15) as display:
        for minute in range(1, 41):
            now = 1000.0 + 60 * minute
            display.show(minute if minute <= 10 else 10 + (minute - 10) / 10)
    left = [line.rpartition("about ")[2] for line in log.lines]
    assert (left[9], left[20], left[39]) == ("5 min left", "39 min left", "20 min left")
