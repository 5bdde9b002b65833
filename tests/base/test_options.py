"""Lists on the command line."""

import pytest

from ser.base.errors import SerError
from ser.base.options import distinct_words, whole_numbers


def test_words() -> None:
    assert distinct_words("--folds", " 1 2  3") == ["1", "2", "3"]


@pytest.mark.parametrize(("text", "said"), [("", "is empty"), ("a b a", "'a' occurs twice")])
def test_wrong_lists(text: str, said: str) -> None:
    with pytest.raises(SerError, match=f"--folds '{text}': {said}"):
        distinct_words("--folds", text)


@pytest.mark.parametrize("text", ["01", "1 01", "\u0661", "4294967296", "-1", "1.0"])
def test_numbers_are_written_in_one_way(text: str) -> None:
    assert whole_numbers("--seeds", "0 7 4294967295") == [0, 7, 4294967295]
    with pytest.raises(
        SerError, match=f"--seeds '{text}': expected whole numbers up to 4294967295"
    ):
        whole_numbers("--seeds", text)
