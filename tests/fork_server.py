"""``python -m ser.bin.<program>`` without the seconds of its imports.

A server imports the programs once, at the first call, and forks for each. In the shells that tests
start, a function ``python`` calls it where ``python`` would be the one that runs the tests. Signals
to the caller do not reach the program: tests of them, and of what a program imports, start it
for real.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import select
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import NoReturn

SOCKET = "SER_FORK_SERVER"  # the variable that says where it is called
PROGRAMS = (
    "audit", "doctor", "export", "finetune", "list_audio", "make_feats", "make_folds",
    "make_synthetic", "pack", "predict", "prepare_corpus", "prepare_table", "pretrain", "score",
    "ser_predict", "train_bpe", "verify",
)  # fmt: skip
LATER = (  # what they import where they need it
    "joblib", "matplotlib.backends.backend_agg", "ser.doctor.readiness", "ser.predict.folds",
    "ser.train.finetune", "ser.train.pretrain", "sklearn.feature_extraction.text",
    "sklearn.linear_model", "sklearn.pipeline", "torch._dynamo", "torch.onnx",
)  # fmt: skip


def listen() -> None:
    """Has a server started at the first call, for this process and those that it starts."""
    # Not where TMPDIR says: the path of a socket may have 107 bytes.
    folder = tempfile.TemporaryDirectory(prefix="ser", dir="/tmp")
    atexit.register(folder.cleanup)
    os.environ[SOCKET] = str(Path(folder.name, "socket"))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.environ[SOCKET])
    listener.listen()
    # As it is now: a test that calls first may have changed it for itself.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    arguments = [listener, environment]
    threading.Thread(target=_start_when_called, args=arguments, daemon=True).start()


def _start_when_called(listener: socket.socket, environment: dict[str, str]) -> None:
    select.select([listener], [], [])
    number = listener.fileno()
    server = subprocess.Popen(
        [sys.executable, __file__, "serve", str(number)],
        stdin=subprocess.PIPE,
        pass_fds=[number],
        env=environment,
        cwd="/",
    )
    atexit.register(server.kill)
    server.wait()
    listener.close()  # who still waits for a server that could not start is not left waiting


def _caller() -> list[str]:
    """The words that call a program of the server."""
    return [sys.executable, "-IS", __file__, "call", os.environ[SOCKET]]


def command(program: str, *words: object) -> list[str]:
    """The words that start a program of ``ser.bin``."""
    return [*_caller(), f"ser.bin.{program}", *map(str, words)]


def environment() -> dict[str, str]:
    """Variables of a shell whose ``python -m ser.bin.<program>`` is served."""
    function = f"""() {{
      local there=$(type -P python)
      if [ "${{there%/*}}" -ef {shlex.quote(str(Path(sys.executable).parent))} ] &&
        [ "${{1:-}}" = -m ] && [[ "${{2:-}}" = ser.bin.* ]]; then
        {shlex.join(_caller())} "${{@:2}}"
      else
        command python "$@"
      fi
    }}"""
    return {"BASH_FUNC_python%%": function}


def call(path: str, program: str, *words: str) -> int:
    """Has a program run with this process's folder, environment and standard streams."""
    asked = {"cwd": str(Path.cwd()), "env": dict(os.environ), "program": program, "words": words}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        socket.send_fds(connection, [b"\0"], [0, 1, 2])
        connection.sendall(json.dumps(asked).encode() + b"\n")
        said = connection.recv(16)
    status = int(said or -signal.SIGKILL)
    return status if status >= 0 else 128 - status


def serve(listener: socket.socket) -> NoReturn:
    """Waits for calls; ends when its parent does."""
    for name in PROGRAMS:
        importlib.import_module(f"ser.bin.{name}")
    for name in LATER:
        importlib.import_module(name)
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while listener in select.select([listener, sys.stdin], [], [])[0]:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            attend(connection)
        connection.close()
    sys.exit()


def attend(connection: socket.socket) -> NoReturn:
    """Forks a program and tells how it ended; a caller who goes away ends it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    asked = json.loads(connection.makefile("rb").readline())
    pid = os.fork()
    if pid == 0:
        connection.close()
        carry_out(streams, **asked)
    for stream in streams:
        os.close(stream)
    watched, ended, status = [connection], 0, 0
    while not ended:
        if select.select(watched, [], [], 0.02)[0]:  # closed: a caller says nothing more
            os.kill(pid, signal.SIGTERM)
            watched = []
        ended, status = os.waitpid(pid, os.WNOHANG)
    with contextlib.suppress(BrokenPipeError):
        connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def carry_out(
    streams: list[int], cwd: str, env: dict[str, str], program: str, words: list[str]
) -> NoReturn:
    """Runs the program in this process and never returns."""
    from ser.base.errors import run_program

    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    module = importlib.import_module(program)
    sys.argv = [str(module.__file__), *words]
    status: object = 0
    try:
        run_program(module.main)
    except SystemExit as ended:
        status = ended.code
    if isinstance(status, str):  # which Python prints when it leaves
        print(status, file=sys.stderr)
    atexit._run_exitfuncs()
    sys.stdout.flush()
    # Not sys.exit(): to take hundreds of megabytes to pieces copies them first.
    os._exit(status if isinstance(status, int) else status is not None)


if __name__ == "__main__":
    if sys.argv[1] == "call":
        sys.exit(call(*sys.argv[2:]))
    serve(socket.socket(fileno=int(sys.argv[2])))
