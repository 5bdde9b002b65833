"""Lists on the command line."""

from ser.base.errors import SerError


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
