"""Lists and numbers, on the command line and in configurations."""

import re
from collections import Counter
from collections.abc import Iterable
from numbers import Real

from ser.base.errors import SerError, shortened
from ser.base.process import num_cores

MAX_SEED = 2**32 - 1  # and of other whole numbers of a list
WHOLE = re.compile("0|[1-9][0-9]{0,9}")


def max_processes() -> int:
    """Processes side by side that somebody may mean on this machine; more are a slip."""
    return max(64, 4 * num_cores())


def max_jobs(cmd: str) -> int:
    """The most that ``--jobs`` may mean: on this machine, or tasks on the machines of a cluster."""
    return max_processes() if cmd == "local" else 10_000


def shown(value: object) -> str:
    """A number as messages have it, however long it is."""
    try:
        return f"{value:g}" if isinstance(value, Real) else shortened(ascii(value))
    except OverflowError:
        return "a number of more than 300 digits"


def require_within(option: str, value: float | None, least: float, most: float) -> None:
    """Checks an option, where it is given, against its range.

    Raises:
        SerError: It lies outside, or is no number.
    """
    if value is not None and not (isinstance(value, Real) and least <= value <= most):
        raise SerError(f"{option} {shown(value)}: expected {least:g} to {most:g}")


def whole_numbers(option: str, text: str) -> list[int]:
    """The numbers of an option such as ``--seeds "1 2 3"``.

    Raises:
        SerError: The list is empty, one occurs twice, or one is no whole number.
    """
    words = distinct_words(option, text)
    if not all(WHOLE.fullmatch(word) and int(word) <= MAX_SEED for word in words):
        raise SerError(
            f"{option} '{shortened(text)}': expected whole numbers up to {MAX_SEED}, without zeros "
            "in front"
        )
    return [int(word) for word in words]


def distinct_words(option: str, text: str) -> list[str]:
    """The words of an option such as ``--folds "1 2 3"``.

    Raises:
        SerError: The list is empty, or one occurs twice.
    """
    words = text.split()
    twice = doubled(words)
    if not words or twice:
        what = f"'{twice[0]}' occurs twice" if twice else "is empty"
        raise SerError(f"{option} '{text}': {what}; expected one or more, each once")
    return words


def doubled(names: Iterable[str]) -> list[str]:
    """The names that stand more than once, sorted."""
    return sorted(name for name, count in Counter(names).items() if count > 1)
