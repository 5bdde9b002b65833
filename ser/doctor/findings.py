"""What the checks of the doctor find: the errors and warnings of the log."""

import logging
from collections.abc import Callable

from ser.base.errors import SerError, describe
from ser.base.log import logger


class Findings(logging.Handler):
    """Keeps errors (they would end a stage) and warnings of the log, each once.

    Attributes:
        kind: What is looked at.
        kinds: What was looked at, by level and message, in the order in which they came.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.kind = "environment"
        self.kinds: dict[tuple[str, str], str] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps one."""
        message = record.getMessage().removeprefix("warning: ")
        self.kinds.setdefault((record.levelname.lower(), message), self.kind)

    def messages(self, level: str) -> list[str]:
        """Those of a level."""
        return [message for of, message in self.kinds if of == level]


def attempt(check: Callable[..., object], *args: object) -> None:
    """Calls a check; what it raises is logged as an error, and the next one can be called."""
    try:
        check(*args)
    except (SerError, OSError) as error:
        logger.error(describe(error))
