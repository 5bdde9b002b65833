"""Logging: short lines on the console, the same with a time in a file."""

import contextlib
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

from ser.base.errors import SerError, StoppedError, describe, is_first_process
from ser.base.names import printable

logger = logging.getLogger("ser")


def _prepare(record: logging.LogRecord) -> bool:
    """Keeps names that a message is about from making another line of it; marks warnings."""
    if record.levelno == logging.WARNING:
        record.msg = f"warning: {record.msg}"
    if isinstance(record.args, tuple):
        record.args = tuple(
            printable(str(value)) if isinstance(value, str | Path) else value
            for value in record.args
        )
    return True


logger.addFilter(_prepare)


class _LogFile(logging.FileHandler):
    """A file whose disk may be full: this is reported once, and is not why the program ends."""

    is_whole = True

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging's name
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            self._tell(error)
        else:
            super().handleError(record)

    def close(self) -> None:
        """Closes the file, whether or not what waits in memory can be written."""
        try:
            super().close()
        except OSError as error:
            self._tell(error)

    def _tell(self, error: OSError) -> None:
        if self.is_whole:
            self.is_whole = False
            error.filename = error.filename or self.baseFilename
            print(f"warning: {describe(error)}: the log is not whole", file=sys.stderr)


def log_to_console(quiet: bool = False) -> None:
    """Shows the log on standard error; ``quiet`` keeps it to warnings that no file takes.

    Of several processes that train together only the first one speaks.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    if quiet:
        handler.addFilter(_is_warning_without_file)
    logger.handlers = [handler] if is_first_process() else [logging.NullHandler()]
    logger.setLevel(logging.INFO)
    logger.propagate = False


def _is_warning_without_file(record: logging.LogRecord) -> bool:
    has_file = any(isinstance(handler, logging.FileHandler) for handler in logger.handlers)
    return record.levelno >= logging.WARNING and not has_file


@contextlib.contextmanager
def log_to_file(path: Path) -> Iterator[None]:
    """Appends the log to a file, with times, as long as the block lasts.

    The warnings of libraries go there too, and what ends the block: our errors in a line, a stop
    on request as well, and an unexpected error with its traceback.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = _LogFile(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    loggers = (logger, logging.getLogger("py.warnings"))
    for each in loggers:
        each.addHandler(handler)
    logging.captureWarnings(True)
    try:
        yield
    except Exception as error:
        level = logging.INFO if isinstance(error, StoppedError) else logging.ERROR
        trace = None if isinstance(error, (SerError, OSError)) else sys.exc_info()
        ended = ("ended", level, "", 0, describe(error), None, trace)
        handler.handle(logging.LogRecord(*ended))
        raise
    finally:
        logging.captureWarnings(False)
        for each in loggers:
            each.removeHandler(handler)
        handler.close()
