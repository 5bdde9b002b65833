"""Logging: short lines on the console, the same with a time in a file."""

import contextlib
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

from ser.base.errors import is_first_process

logger = logging.getLogger("ser")


def log_to_console(quiet: bool = False) -> None:
    """Shows the log on standard error; ``quiet`` keeps it to warnings.

    Of several processes that train together only the first one speaks.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    handler.setLevel(logging.WARNING if quiet else logging.INFO)
    logger.handlers = [handler] if is_first_process() else [logging.NullHandler()]
    logger.setLevel(logging.INFO)
    logger.propagate = False


@contextlib.contextmanager
def log_to_file(path: Path) -> Iterator[None]:
    """Appends the log to a file, with times, as long as the block lasts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
