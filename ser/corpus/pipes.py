"""Commands that write audio, as a ``wav.scp`` names them.

They are never run by a shell: each is started as it is, reading what the one before it writes.
"""

import contextlib
import shlex
import signal
import subprocess
import tempfile

from ser.base.errors import SerError

PIPE = "|"
NOT_RUN = set("&;<>()|")  # what only a shell understands, but for one | between commands
EXPANDED = set("$`")  # what a shell would replace


def is_pipe(source: str) -> bool:
    """Whether an entry of ``wav.scp`` is a command."""
    return source.rstrip().endswith(PIPE)


def output_of(source: str) -> bytes:
    """What the last of the commands between ``|`` writes.

    Raises:
        SerError: A command cannot be started, fails, or needs a shell.
    """
    commands = _commands(source)
    processes: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryFile() as complaints, contextlib.ExitStack() as running:
        try:
            for words in commands:
                before = processes[-1].stdout if processes else subprocess.DEVNULL
                process = subprocess.Popen(
                    words, stdin=before, stdout=subprocess.PIPE, stderr=complaints
                )
                processes.append(running.enter_context(process))
                if not isinstance(before, int) and before is not None:
                    before.close()  # the next command alone reads it
        except OSError as error:
            for process in processes:
                process.kill()
            raise SerError(f"wav.scp: '{source}': {error.filename}: {error.strerror}") from error
        output = processes[-1].communicate()[0]
        # A command that stops reading early, as one that trims, ends the one before it.
        ends = [0, *([-signal.SIGPIPE] if len(processes) > 1 else [])]
        failed = [process for process in processes if process.wait() not in ends]
        if failed:
            complaints.seek(0)
            lines = complaints.read().decode(errors="replace").splitlines()
            raise SerError(
                f"wav.scp: '{source}' ended with status {failed[0].returncode}"
                f"{': ' + lines[-1] if lines else ''}; expected audio; correct the command"
            )
    return output


def _commands(source: str) -> list[list[str]]:
    lexer = shlex.shlex(source, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""  # take#1.wav is a name
    try:
        words = list(lexer)
    except ValueError as error:
        raise SerError(f"wav.scp: '{source}': {error}; correct the command") from error
    shell = [w for w in words if w != PIPE and (set(w) & EXPANDED or (w and set(w) <= NOT_RUN))]
    commands: list[list[str]] = [[]]
    for word in words:
        if word == PIPE:
            commands.append([])
        else:
            commands[-1].append(word)
    if shell or commands.pop() or not all(commands):
        raise SerError(
            f"wav.scp: '{source}': {f'{shell[0]} needs a shell' if shell else 'an empty command'}; "
            "expected commands parted by | alone; put the rest into a script of your own"
        )
    return commands
