"""Word error rate: known answers."""

import pytest

from ser.metrics.wer import word_error_rate


@pytest.mark.parametrize(
    ("references", "hypotheses", "rate"),
    [
        (["A B C D"], ["A B C D"], 0.0),
        (["A B C D"], ["A X C"], 0.5),  # a substitution and a deletion
        (["A B"], ["A B C D E"], 1.5),  # insertions may exceed the reference
        (["A B C D"], [""], 1.0),
        (["A", "B C D"], ["X", "B C D"], 0.25),  # words are pooled, not rates averaged
        (["", "A B"], ["X Y Z", "A B"], 0.0),  # no reference words, no share
        (["  ", "A B"], ["", "A"], 0.5),
        (["", " "], ["A", ""], None),
        ([], [], None),
    ],
)
def test_known_answers(references: list[str], hypotheses: list[str], rate: float | None) -> None:
    assert word_error_rate(references, hypotheses) == (
        None if rate is None else pytest.approx(rate)
    )
