"""Calling the programs of ``ser.bin``: in this process, in a forked one, or by its words."""

import contextlib
import importlib
import io
import subprocess
import sys
from dataclasses import dataclass
from types import SimpleNamespace
from unittest.mock import patch

import fork_server
import torch

from ser.base.errors import run_program
from ser.base.log import logger


@dataclass(frozen=True)
class Said:
    """How a call ended, and what it printed."""

    status: int
    out: str
    err: str


def call(program: str, *words: object, stdin: bytes = b"") -> Said:
    """Calls a program in this process, and leaves log and threads as they were."""
    main = importlib.import_module(f"ser.bin.{program}").main
    kept = io.BytesIO(), io.BytesIO()
    out, err = (io.TextIOWrapper(one, "utf-8", write_through=True) for one in kept)
    log = logger.handlers, logger.level, logger.propagate
    code: object = 0
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        patch.object(sys, "argv", [program, *map(str, words)]),
        patch.object(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(stdin))),
    ):
        try:
            run_program(main)
        except SystemExit as ended:
            code = ended.code
    logger.handlers, logger.level, logger.propagate = log
    torch.set_num_threads(1)
    if isinstance(code, str):  # which Python prints when it leaves
        print(code, file=err)
        code = 1
    said, complained = (one.getvalue().decode() for one in kept)
    return Said(int(code or 0), said, complained)  # type: ignore[call-overload]


def command(program: str, *words: object) -> list[str]:
    """The words by which a shell starts a program."""
    return [sys.executable, "-m", f"ser.bin.{program}", *map(str, words)]


def start(program: str, *words: object, stdin: bytes = b"") -> Said:
    """Calls a program in a process of its own (``fork_server``), and waits for its end."""
    ended = subprocess.run(
        fork_server.command(program, *words),
        input=stdin,
        capture_output=True,
        check=False,
    )
    return Said(ended.returncode, ended.stdout.decode(), ended.stderr.decode())
