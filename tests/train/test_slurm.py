"""Slurm's part, with stand-ins for its programs; tests/slurm/run.sh has the real ones."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import fork_server
import pytest
from processes import wait_until
from programs import call
from tiny_recipe import (
    BPE,
    CONF,
    EXP,
    FEATS,
    PROTOCOL_PATH,
    change_system,
    finetune_run,
    is_trained,
)

from ser.base.errors import SerError, StoppedError
from ser.config.network import ReadoutConfig
from ser.train.finetune import finetune
from ser.train.launch.slurm import SlurmJob, finetune_on_slurm, read_options, run_on_slurm
from ser.train.resolve import FinetuneRun

SYSTEM = "transformer"
ARGUMENTS = shlex.split(
    f"--conf {CONF} --protocol {PROTOCOL_PATH} --systems {SYSTEM} --seeds 1 --folds '1 2 3' "
    f"--feats {FEATS / 'ser'} --bpe {BPE} --pretrain {EXP / 'pretrain'} --exp-dir {EXP} --cmd slurm"
)
# Runs all tasks but those that the file "lost" names, and notes how it was called.
SBATCH = """#!/usr/bin/env python3
import os, pathlib, subprocess, sys, time
options = dict(word.partition("=")[::2] for word in sys.argv[1:-1])
with open("calls", "a") as stream:
    print(*sys.argv[1:], file=stream)
if "--refuse" in options:
    sys.exit("sbatch: error: invalid partition")
if os.path.exists("late"):
    pathlib.Path("late").unlink()
    time.sleep(1)
print("42;cluster", flush=True)
lost = pathlib.Path("lost").read_text().split() if os.path.exists("lost") else []
started = []
for task in options.get("--array", "").partition("%")[0].split(","):
    name = options["--output"].replace("%A", "42").replace("%a", task).replace("%j", "42")
    with open(name, "w") as output:
        if task in lost:
            print("slurmstepd: error: *** CANCELLED DUE TO TIME LIMIT ***", file=output)
            continue
        environment = dict(os.environ, SLURM_ARRAY_TASK_ID=task, SLURM_CPUS_PER_TASK="1")
        call = ["bash", sys.argv[-1]]
        started.append(subprocess.Popen(call, env=environment, stdout=output, stderr=output))
sys.exit(max(process.wait() for process in started))
"""
SQUEUE = """#!/bin/sh
echo "0 FAILED"
echo "2 COMPLETED"
"""
SCANCEL = '#!/bin/sh\necho "$@" >scancelled\n'


@pytest.fixture(autouse=True)
def slurm(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stand-ins on the PATH; returns slurm.conf."""
    programs = recipe / "programs"
    programs.mkdir()
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL), ("squeue", SQUEUE)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    for name, value in fork_server.environment().items():  # of the tasks' shells
        monkeypatch.setenv(name, value)
    conf = CONF / "slurm.conf"
    conf.write_text("# so long\n  --time=00:10:00\n\n--cpus-per-task=1\n#--partition=gpu\n")
    return conf


def submit(runs: list[FinetuneRun], max_jobs: int | None = None) -> str:
    """Submits; returns the call of sbatch."""
    Path("calls").write_text("")
    finetune_on_slurm(runs, max_jobs, CONF / "slurm.conf", EXP / "slurm", ARGUMENTS)
    return Path("calls").read_text()


@pytest.mark.slow
def test_tasks_that_were_asked_to_leave_did_not_fail() -> None:
    runs = [finetune_run(SYSTEM, fold) for fold in "12"]
    arguments = [*ARGUMENTS, "--max-minutes", "0.0001"]
    with pytest.raises(StoppedError, match=r"^stopped with 0 of 2 runs finished; rerun the com"):
        finetune_on_slurm(runs, None, CONF / "slurm.conf", EXP / "slurm", arguments)
    Path("lost").write_text("1")
    with pytest.raises(SerError, match="2 of 2 runs failed") as caught:
        finetune_on_slurm(runs, None, CONF / "slurm.conf", EXP / "slurm", arguments)
    assert not isinstance(caught.value, StoppedError)


@pytest.mark.slow
def test_frozen_encoders_are_applied_in_a_job_of_their_own() -> None:
    name = "transformer_tl"
    readout = ReadoutConfig(type="mean_sd")
    change_system(name, readout=readout, optimizer__frozen=["encoder"])
    runs = [finetune_run(name, fold) for fold in "12"]
    arguments = [name if word == SYSTEM else word for word in ARGUMENTS]
    for expected in (["encode", "finetune"], ["finetune"]):
        Path("calls").write_text("")
        finetune_on_slurm(runs, None, CONF / "slurm.conf", EXP / "slurm", arguments)
        calls = Path("calls").read_text()
        assert re.findall(r"--job-name=(\w+)", calls) == expected
        shutil.rmtree(EXP / name)
    assert (EXP / "encoded" / "ctc.mean_sd" / "ser" / "run.json").exists()


@pytest.mark.slow
def test_failed_and_lost_tasks_are_named_and_submitted_again(
    log: Any,
) -> None:
    """Fold 1 holds another run, fold 2's task is lost, fold 3 finishes."""
    runs = [finetune_run(SYSTEM, fold) for fold in "123"]
    change_system(SYSTEM, training__max_epochs=1)
    finetune(runs[0])
    change_system(SYSTEM, training__max_epochs=2)
    Path("lost").write_text("1")
    with pytest.raises(SerError) as caught:
        submit(runs, max_jobs=2)
    call = shlex.split(Path("calls").read_text())
    assert call[:3] == ["--time=00:10:00", "--cpus-per-task=1", "--array=0,1,2%2"]
    assert "--wait" in call
    lines = str(caught.value).splitlines()
    assert lines[0] == "2 of 3 runs failed; rerun the command to do those alone:"
    assert f"  {runs[0].name}: task 42_0 left it unfinished (FAILED)" in lines
    assert "    the end of exp/slurm/finetune_42_0.out:" in lines
    assert f"    the end of {runs[0].folder}/train.log:" in lines
    assert any("holds another run" in line for line in lines)
    at = lines.index(f"  {runs[1].name}: task 42_1 left it unfinished (unknown state)")
    assert lines[at + 1 :] == [
        "    the end of exp/slurm/finetune_42_1.out:",
        "      slurmstepd: error: *** CANCELLED DUE TO TIME LIMIT ***",
    ]
    assert f"{runs[2].name}: finished (1 of 3)" in log.lines
    assert [is_trained(run) for run in runs] == [False, False, True]

    Path("lost").unlink()
    runs[0].folder.rename("aside")
    assert "--array=0,1 " in submit(runs)
    assert all(map(is_trained, runs))
    assert submit(runs) == ""  # nothing to do, nothing submitted


def test_more_tasks_than_this_machine_has_room_for() -> None:
    Path("lost").write_text("0 1 2")
    said = call("finetune", *ARGUMENTS, "--jobs", 100)
    assert said.err.splitlines()[-1].endswith("TIME LIMIT ***")
    assert "--array=0,1,2%100 " in Path("calls").read_text()


def job(command: str, conf: Path) -> SlurmJob:
    return SlurmJob(name="one", command=command, conf=conf, folder=EXP / "slurm")


def test_one_command(slurm: Path) -> None:
    run_on_slurm(job("touch made", slurm))
    assert Path("made").exists()
    with pytest.raises(SerError, match=r"one_42.out: job 42 ended with status 3; .*\n.* words$"):
        run_on_slurm(job("sh -c 'echo words; exit 3'", slurm))
    with pytest.raises(StoppedError, match="status 75"):
        run_on_slurm(job("sh -c 'exit 75'", slurm))


def test_no_job_where_no_encoder_is_to_be_trained(slurm: Path) -> None:
    """Published weights are imported where stage 3 is called."""
    words = ["--conf", CONF, "--systems", "transformer_tl", "--data", "data", "--feats", FEATS]
    words += ["--bpe", BPE, "--out", EXP / "pretrain"]
    started = ["--import-first", "pretrain", sys.executable, "-m", "ser.bin.pretrain", *words]
    options = ["--conf", slurm, "--out", EXP / "slurm"]
    assert call("submit", *options, *started).status == 0
    assert not Path("calls").exists()
    weights = EXP / "pretrain" / "ctc" / "model.safetensors"
    before = weights.read_bytes()
    shutil.rmtree(weights.parent)
    assert call("submit", *options, *started).status == 0
    assert "--parsable" in Path("calls").read_text() and weights.read_bytes() == before
    shutil.rmtree(FEATS / "asr_train")
    said = call("submit", *options, *started)
    assert said.status == 1 and len(Path("calls").read_text().splitlines()) == 1


@pytest.mark.parametrize(
    "words", [["--import-first", "job"], ["--import-first", "job", "echo"], ["job"]]
)
def test_a_command_that_is_none(words: list[str], slurm: Path) -> None:
    said = call("submit", "--conf", slurm, "--out", EXP / "slurm", *words)
    assert said.status == 1 and re.match(
        r"error: (--import-first|job): .*; expected .*\n$", said.err
    )


def test_what_is_wrong_with_slurm_is_one_line(slurm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slurm.write_text("--time=1\npartition=gpu\n")
    with pytest.raises(SerError, match=r"^conf/slurm.conf:2: 'partition=gpu' is no option"):
        read_options(slurm)
    slurm.write_text("--time=1  # short\n-p 'a b'  # gpu\n#--mem=1\n-C rack#2\n-o a\\%j\n")
    assert read_options(slurm) == ["--time=1", "-p", "a b", "-C", "rack#2", "-o", "a\\%j"]
    slurm.write_text("--comment='a b\n")
    with pytest.raises(SerError, match=r"^conf/slurm.conf:1: .* is no option \(No closing quot"):
        read_options(slurm)
    slurm.write_text("--refuse\n")
    with pytest.raises(SerError, match=r"^sbatch: refused the job .*; correct conf/slurm.conf$"):
        run_on_slurm(job("true", slurm))
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SerError, match=r"^sbatch: not found on the PATH; .* --cmd local"):
        run_on_slurm(job("true", slurm))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("late", [False, True], ids=["", "before its number is told"])
def test_an_interrupted_wait_cancels_the_job(
    number: signal.Signals, late: bool, slurm: Path
) -> None:
    if late:
        Path("late").touch()
    call = ["--conf", slurm, "--out", EXP / "slurm", "one", "sleep", "60"]
    program = subprocess.Popen(
        [sys.executable, "-m", "ser.bin.submit", *map(str, call)],
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    assert program.stderr is not None
    wait_until(lambda: not Path("late").exists())
    if not late:
        assert "submitted as job 42" in program.stderr.readline()
    os.killpg(program.pid, number)
    _, said = program.communicate(timeout=30)
    assert program.returncode == 128 + number
    assert said == "cancelling job 42\n"
    wait_until(Path("scancelled").exists)
    assert Path("scancelled").read_text() == "42\n"
