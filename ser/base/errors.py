"""The error that a user can cause, and how a program ends on it."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator

from ser.base.process import end_with_run_script


class SerError(Exception):
    """Something a user can cause and mend.

    The message is one line: ``<file or key>: <what is wrong, with the number>; <what was
    expected>; <what to do>``.
    """


class SharedError(SerError):
    """An error that all processes of a distributed run raise alike; the first one tells it."""


class StoppedError(SerError):
    """Work that was stopped on request and goes on when the command is rerun."""


STOPPED_STATUS = 75  # EX_TEMPFAIL of sysexits.h
MOST_TOLD = 5  # faults in one line


def told(faults: Iterable[object]) -> str:
    """Faults of a kind as one line, each once: the first few, and how many more there are."""
    said = list(dict.fromkeys(map(str, faults)))
    more = [f"and {len(said) - MOST_TOLD} more"] if len(said) > MOST_TOLD else []
    return "; ".join([*said[:MOST_TOLD], *more])


def raise_all(faults: Iterable[object]) -> None:
    """Raises what is wrong, at once.

    Raises:
        SerError: There are faults.
    """
    said = told(faults)
    if said:
        raise SerError(said)


def is_first_process() -> bool:
    """Whether this is the first process of a distributed run, or the only one."""
    return os.environ.get("RANK", "0") == "0"


def describe(error: Exception) -> str:
    """One line for a person: our own messages as they are, the system's with the file."""
    if isinstance(error, OSError):
        # A full disk, a missing permission, a vanished file: the system's own words name it.
        return f"{error.filename or 'input/output'}: {error.strerror or error}"
    return str(error)


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Ends the program with one line and a non-zero status on whatever a user can cause."""
    try:
        yield
    except StoppedError as error:
        if is_first_process():
            print(error, file=sys.stderr)
        sys.exit(STOPPED_STATUS)
    except BrokenPipeError:  # who read what is printed has gone, as head does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except (SerError, OSError) as error:
        if isinstance(error, SharedError) and not is_first_process():
            sys.exit(1)
        sys.exit(f"error: {describe(error)}")
    except KeyboardInterrupt:
        sys.exit(130)


def run_program(main: Callable[[], None]) -> None:
    """Runs the ``main`` of a program of ``ser.bin``, errors shown as one line."""
    end_with_run_script()
    with one_line_errors():
        main()
