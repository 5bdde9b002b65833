"""Lists on the command line."""

from ser.base.errors import SerError


def whole_numbers(option: str, text: str) -> list[int]:
    """The numbers of an option such as ``--seeds "1 2 3"``.

    Raises:
        SerError: There is none, one stands twice, or one is no whole number.
    """
    words = distinct_words(option, text)
    if not all(word.isdecimal() for word in words):
        raise SerError(f"{option} '{text}': expected whole numbers")
    return [int(word) for word in words]


def distinct_words(option: str, text: str) -> list[str]:
    """The words of an option such as ``--folds "1 2 3"``.

    Raises:
        SerError: There is none, or one stands twice.
    """
    words = text.split()
    twice = sorted({word for word in words if words.count(word) > 1})
    if not words or twice:
        what = f"'{twice[0]}' stands twice" if twice else "is empty"
        raise SerError(f"{option} '{text}': {what}; expected one or more, each once")
    return words
