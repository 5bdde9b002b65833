"""The error that a user can cause, and how a program ends on it."""

import contextlib
import sys
from collections.abc import Callable, Iterator


class SerError(Exception):
    """Something a user can cause and mend.

    The message is one line: ``<file or key>: <what is wrong, with the number>; <what was
    expected>; <what to do>``.
    """


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Ends the program with one line and a non-zero status on whatever a user can cause."""
    try:
        yield
    except SerError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        # A full disk, a missing permission, a vanished file: the system's own words name it.
        sys.exit(f"error: {error.filename or 'input/output'}: {error.strerror or error}")
    except KeyboardInterrupt:
        sys.exit(130)


def run_program(main: Callable[[], None]) -> None:
    """Runs the ``main`` of a program of ``ser.bin``, errors shown as one line."""
    with one_line_errors():
        main()
