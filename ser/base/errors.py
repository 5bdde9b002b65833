"""The error that a user can cause, and how a program ends on it."""

import contextlib
import errno
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from ser.base.names import printable
from ser.base.process import end_with_run_script

MAX_LISTED = 20  # faults, a screenful
MAX_IN_LINE = 5  # names in one line
MAX_CHARS = 300  # of a value in a line
NUM_STREAMS = 3  # standard input, output and error
FULL = (errno.ENOSPC, errno.EDQUOT)  # a disk, or what one may take of it


class SerError(Exception):
    """Something a user can cause and correct.

    The message is one line: ``<file or key>: <what is wrong, with the number>; <what was
    expected>; <what to do>``; of several faults (``FaultsError``) a line for each. What a name in
    it cannot show, as a line end, is escaped.

    Args:
        lines: Of the message.
    """

    def __init__(self, *lines: str) -> None:
        super().__init__(*map(printable, lines))

    def __str__(self) -> str:
        return "\n".join(self.args)


class FaultsError(SerError):
    """Several faults that were found at once.

    Attributes:
        lines: What is wrong, each once.
    """

    def __init__(self, lines: Sequence[str], report: Path | None = None) -> None:
        self.lines = lines
        more = len(lines) - MAX_LISTED
        shown = list(lines[:MAX_LISTED])
        if more > 0:
            shown.append(f"and {more} more like them{f'; all are in {report}' if report else ''}")
        super().__init__(f"{len(lines)} faults:", *(f"  {line}" for line in shown))


class Faults:
    """Collects what is wrong with a corpus, to report it all at once.

    Args:
        lines: What is known to be wrong.
    """

    def __init__(self, lines: Iterable[str] = ()) -> None:
        self._lines = dict.fromkeys(map(printable, lines))

    @contextlib.contextmanager
    def noted(self, where: str = "") -> Iterator[None]:
        """Notes an error, after the place where it is, and goes on after the block."""
        try:
            yield
        except FaultsError as error:
            self._lines |= dict.fromkeys(error.lines)
        except SerError as error:
            self.add(f"{where}{error}")

    def add(self, line: str) -> None:
        """Notes one, unless it was noted."""
        self._lines[printable(line)] = None

    def raise_any(self) -> None:
        """Tells what was noted.

        Raises:
            SerError: Something was; a ``FaultsError`` where it is more than one thing.
        """
        lines = list(self._lines)
        if lines:
            raise SerError(lines[0]) if len(lines) == 1 else FaultsError(lines)


@contextlib.contextmanager
def faults_listed_beside(out: Path) -> Iterator[None]:
    """Writes the faults to ``<out>_faults.txt`` where they are more than a screenful."""
    report = out.parent / f"{out.name}_faults.txt"
    report.unlink(missing_ok=True)  # of an earlier run
    try:
        yield
    except FaultsError as error:
        if len(error.lines) <= MAX_LISTED:
            raise
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text("".join(f"{line}\n" for line in error.lines), encoding="utf-8")
        raise FaultsError(error.lines, report) from error


class SharedError(SerError):
    """An error that all processes of a distributed run raise alike; the first one reports it."""


class StoppedError(SerError):
    """Work that was stopped on request and goes on when the command is rerun."""


GO_ON = "rerun the command to go on"  # the end of what is said of such work
STOPPED_STATUS = 75  # EX_TEMPFAIL of sysexits.h


def first_few(names: Iterable[object]) -> str:
    """What one fault is about, each once, as part of a line: the first few, and how many more."""
    listed = list(dict.fromkeys(map(str, names)))
    more = len(listed) - MAX_IN_LINE
    return "; ".join([*listed[:MAX_IN_LINE], *([f"and {more} more"] if more > 0 else [])])


def shortened(text: object, most: int = MAX_CHARS) -> str:
    """A value as part of a line: one that is longer without its middle."""
    line = " ".join(str(text).split())
    return line if len(line) <= most else f"{line[: most // 2]} ... {line[-most // 3 :]}"


def reason_of(error: Exception) -> str:
    """Why something failed, in a few words: the first line of what a library says."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    said = next(iter(str(error).splitlines()), "")
    if isinstance(error, KeyError) and said:  # it says the key alone
        said = f"no {said}"
    return shortened(said) or type(error).__name__


def is_out_of_memory(error: Exception) -> bool:
    """Whether NumPy, PyTorch (of which this needs nothing) or the system found no memory."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and "allocate memory" in str(error)


def is_first_process() -> bool:
    """Whether this is the first process of a distributed run, or the only one."""
    return os.environ.get("RANK", "0") == "0"


def describe(error: Exception) -> str:
    """One line for a person: our own messages as they are, the system's with the file."""
    if isinstance(error, OSError):
        # A full disk, a missing permission, a vanished file: the system's own words name it.
        advice = "; free some room there and rerun" if error.errno in FULL else ""
        where = error.filename or "standard output, or a file without a name"
        return printable(f"{where}: {error.strerror or error}{advice}")
    # A byte of a path, as Python has it where it is not UTF-8.
    if isinstance(error, UnicodeEncodeError) and "\udc80" <= error.object[error.start] <= "\udcff":
        around = error.object[max(0, error.start - MAX_CHARS) : error.end + MAX_CHARS]
        return f"{around!a}: not UTF-8; expected paths in UTF-8; rename the file or folder"
    return str(error)


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Gives an error of the system that names no file, as a full disk's, the one it is about."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = str(path)
        raise


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
    except (SerError, OSError, UnicodeEncodeError) as error:
        if isinstance(error, SharedError) and not is_first_process():
            sys.exit(1)
        sys.exit(f"error: {describe(error)}")
    except KeyboardInterrupt:
        sys.exit(130)


def _open_streams() -> None:
    """Gives a program that was started with closed streams (``2>&-``) others in their place.

    Else the next file that is opened would be standard error, and hold what libraries print.

    Raises:
        SerError: Standard output is closed: results would be lost.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < NUM_STREAMS:
        pass
    os.close(descriptor)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w")
    if sys.stdout is None:
        raise SerError("standard output is closed; expected it open; write > /dev/null")


def run_program(main: Callable[[], None]) -> None:
    """Runs the ``main`` of a program of ``ser.bin``, errors shown as one line."""
    end_with_run_script()
    with one_line_errors():
        _open_streams()
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # of ser/bin/__init__.py
            signal.signal(signal.SIGINT, signal.default_int_handler)
        main()
