"""Training on a cluster: commands handed to Slurm's ``sbatch``; the records say what is done."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ser.base.errors import GO_ON, STOPPED_STATUS, SerError, StoppedError
from ser.base.files import parsing, read_text
from ser.base.log import logger
from ser.base.process import exit_on_sigterm
from ser.base.writing import write_text
from ser.train.frozen import encodings_of
from ser.train.launch.local import (
    Display,
    describe_failure,
    failure_report,
    last_lines,
    unfinished_runs,
)
from ser.train.resolve import FinetuneRun

POLL_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class SlurmJob:
    """What is submitted.

    Attributes:
        name: Of the job, its script and its output.
        command: What its script runs, as a line of shell.
        options: Further options of ``sbatch``.
        conf: ``conf/slurm.conf``.
        folder: Where script and output lie.
    """

    name: str
    command: str
    options: Sequence[str] = ()
    conf: Path
    folder: Path


def read_options(conf: Path) -> list[str]:
    """The words of the options of ``sbatch`` in a file: one a line, ``#`` before a comment.

    Raises:
        SerError: The file is missing, or a line is no option.
    """
    options: list[str] = []
    for number, line in enumerate(read_text(conf).splitlines(), start=1):
        remedy = "expected one of sbatch's a line, such as --time=08:00:00"
        with parsing(f"{conf}:{number}", f"'{line.strip()}' is no option", remedy):
            lexer = shlex.shlex(re.sub(r"(^|\s)#.*", "", line), posix=True)
            lexer.whitespace_split, lexer.commenters, lexer.escape = True, "", ""
            words = list(lexer)
        if words and not words[0].startswith("-"):
            raise SerError(f"{conf}:{number}: '{line.strip()}' is no option; {remedy}")
        options += words
    return options


def submit_and_wait(
    job: SlurmJob, output: str, while_waiting: Callable[[], None] = lambda: None
) -> tuple[str, int]:
    """Submits a job and waits for its end; cancels it where this program is ended before.

    Args:
        job: What is submitted.
        output: Name of its output in ``job.folder``, in which Slurm fills in %j, %A and %a.
        while_waiting: Called every other second.

    Returns:
        The job's number, and the highest exit status of its tasks.

    Raises:
        SerError: There is no Slurm here, or it refuses the job.
    """
    if shutil.which("sbatch") is None:
        raise SerError(
            "sbatch: not found on the PATH; expected Slurm's; use --cmd local, or a machine from "
            "which Slurm's jobs are submitted"
        )
    job.folder.mkdir(parents=True, exist_ok=True)
    script = job.folder / f"{job.name}.sh"
    # The Python environment of this process goes first: a login shell on the node may lack it.
    environment = f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH"
    environment += "\nunset SER_RUN_PID"  # run.sh, on another machine
    write_text(script, f"#!/usr/bin/env bash\n{environment}\nexec {job.command}\n")
    call = ["sbatch", *read_options(job.conf), *job.options, "--wait", "--parsable"]
    call += [f"--job-name={job.name}", f"--output={job.folder / output}", str(script)]
    # In a session of its own: Ctrl-C is for this program, which cancels the job.
    with (
        exit_on_sigterm(),
        subprocess.Popen(call, stdout=subprocess.PIPE, text=True, start_new_session=True) as sbatch,
    ):
        assert sbatch.stdout is not None
        number = ""
        try:
            number = _job_number(sbatch.stdout)
            if not number:
                raise SerError(f"sbatch: refused the job (its output is above); correct {job.conf}")
            logger.info("%s: submitted as job %s, log in %s", script, number, job.folder)
            while (status := _wait(sbatch)) is None:
                while_waiting()
            return number, status
        finally:
            if sbatch.poll() is None:
                number = number or _job_number(sbatch.stdout)  # submitted, and not read yet
                sbatch.kill()
                if number:
                    logger.info("cancelling job %s", number)
                    subprocess.run(["scancel", number], check=False)


def _job_number(parsable: IO[str]) -> str:
    """Reads the answer of ``sbatch --parsable``: "number" or "number;cluster"; "" if refused."""
    return parsable.readline().strip().partition(";")[0]


def _wait(process: subprocess.Popen[str]) -> int | None:
    """The exit status of a process, or None where it is still at work after some time."""
    try:
        return process.wait(POLL_SECONDS)
    except subprocess.TimeoutExpired:
        return None


def task_states(number: str) -> dict[int, str]:
    """How the tasks of an array ended, in Slurm's words, as long as Slurm remembers."""
    call = ["squeue", "--noheader", "--array", "--states=all", "--format=%K %T"]
    said = subprocess.run(
        [*call, f"--jobs={number}"], stdout=subprocess.PIPE, text=True, check=False
    )
    words = (line.split() for line in said.stdout.splitlines())
    return {int(task): state for task, state in words}


def _says_to_go_on(output: Path) -> bool:
    """Whether a task left because it was asked to, by the last line that it wrote."""
    return any(line.endswith(GO_ON) for line in last_lines(output)[-1:])


def run_on_slurm(job: SlurmJob) -> None:
    """Runs one command as one job.

    Raises:
        SerError: It did not end well; the end of its output is logged.
        StoppedError: It was stopped and goes on when the command is rerun.
    """
    number, status = submit_and_wait(job, f"{job.name}_%j.out")
    output = job.folder / f"{job.name}_{number}.out"
    if status:
        error = StoppedError if status == STOPPED_STATUS else SerError
        said = f"{output}: job {number} ended with status {status}; expected 0; the end of it:"
        raise error(said, *last_lines(output))


def finetune_on_slurm(
    runs: Sequence[FinetuneRun],
    max_jobs: int | None,
    conf: Path,
    folder: Path,
    arguments: Sequence[str],
) -> None:
    """Carries out the runs that are not finished as an array job, one task each.

    What frozen encoders give is computed before, in a job of its own.

    Args:
        runs: All runs; a task's number is a run's place among them.
        max_jobs: Tasks at a time; None leaves that to Slurm.
        conf: Options of ``sbatch``, one a line.
        folder: Where the script and the tasks' output are written.
        arguments: Those of ``ser.bin.finetune`` that give these runs.

    Raises:
        SerError: A configuration is wrong, an input is missing or stale, or Slurm refuses the
            job. At the end: tasks failed, left at their time limit or were lost; each is named with
            the ends of its logs.
        StoppedError: Tasks were asked to leave (``--max-minutes``), and no other failed.
    """
    unfinished = unfinished_runs(runs)
    if not unfinished:
        return
    call = shlex.join(["python", "-m", "ser.bin.finetune", *arguments])
    wanted = [path for each in encodings_of(unfinished.values()) for path in each.folders]
    if not all((path / "run.json").exists() for path in wanted):
        # Else the tasks would wait for one of them, each with what Slurm gave it.
        run_on_slurm(SlurmJob(name="encode", command=f"{call} --encode", conf=conf, folder=folder))
    name = "finetune"
    tasks = ",".join(map(str, unfinished)) + (f"%{max_jobs}" if max_jobs else "")
    job = SlurmJob(
        name=name,
        command=f'{call} --task "$SLURM_ARRAY_TASK_ID"',
        options=[f"--array={tasks}"],
        conf=conf,
        folder=folder,
    )
    left = dict(unfinished)
    with Display(len(unfinished)) as display:

        def look() -> None:
            for task in [t for t, resolved in left.items() if resolved.record.is_finished()]:
                display.finished(left.pop(task).run)
            display.show(display.num_finished)

        number, status = submit_and_wait(job, f"{name}_%A_%a.out", look)
        look()
    states = task_states(number)
    failures = []
    outputs = {task: folder / f"{name}_{number}_{task}.out" for task in left}
    if left and status == STOPPED_STATUS and all(map(_says_to_go_on, outputs.values())):
        raise StoppedError(
            f"stopped with {display.num_finished} of {len(unfinished)} runs finished; {GO_ON}"
        )
    for task, resolved in left.items():
        run, output = resolved.run, outputs[task]
        reason = f"task {number}_{task} left it unfinished ({states.get(task, 'unknown state')})"
        failures.append(describe_failure(run, reason, run.folder / "train.log", output))
    if failures:
        raise SerError(*failure_report(failures, len(unfinished)))
