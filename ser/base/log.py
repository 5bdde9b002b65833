"""Logging: short lines on the console, the same with a time in a file."""

import contextlib
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

from ser.base.errors import SerError, StoppedError, describe, is_first_process

logger = logging.getLogger("ser")


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
    handler = logging.FileHandler(path, encoding="utf-8")
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
