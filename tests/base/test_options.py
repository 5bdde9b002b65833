"""Lists on the command line."""

import pytest

from ser.base.errors import SerError
from ser.base.options import distinct_words


def test_words() -> None:
    assert distinct_words("--folds", " 1 2  3") == ["1", "2", "3"]


@pytest.mark.parametrize(("text", "said"), [("", "is empty"), ("a b a", "'a' occurs twice")])
def test_wrong_lists(text: str, said: str) -> None:
    with pytest.raises(SerError, match=f"--folds '{text}': {said}"):
        distinct_words("--folds", text)
