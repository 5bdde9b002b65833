"""The n-gram language model of tokens."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser.base.errors import SerError
from ser.text.ngram import NgramModel

TRANSCRIPTS = [[1, 2, 1], [1, 2, 3], [2]]
transcripts = st.lists(st.lists(st.integers(1, 4), max_size=6), min_size=1, max_size=6)


def by_counting(
    said: Sequence[Sequence[int]], vocab_size: int, order: int, before: Sequence[int], token: int
) -> float:
    """The formula of the class, n-gram by n-gram."""
    probability = 1 / vocab_size
    history = ([0] * order + list(before))[-(order - 1) :] if order > 1 else []
    for n in range(order):
        last = history[len(history) - n :]
        behind = [
            line[i + n]
            for line in ([0] * (order - 1) + list(tokens) + [vocab_size] for tokens in said)
            for i in range(len(line) - n)
            if line[i : i + n] == last and line[i + n] != 0
        ]
        if behind:
            kinds = len(set(behind))
            probability = (behind.count(token) + kinds * probability) / (len(behind) + kinds)
    return probability


@given(transcripts, st.integers(1, 4), st.lists(st.integers(1, 4), max_size=5))
def test_equals_counting(said: list[list[int]], order: int, before: list[int]) -> None:
    probs = NgramModel(said, vocab_size=5, order=order).next_probs(before)
    assert probs == pytest.approx(
        [0, *(by_counting(said, 5, order, before, t) for t in range(1, 6))]
    )
    assert probs.sum() == pytest.approx(1)


def test_by_hand() -> None:
    model = NgramModel(TRANSCRIPTS, vocab_size=4, order=2)
    # Ten tokens with three ends: 1 three times, 2 three times, 3 once; four different ones.
    one, two, three, end = ((count + 4 / 4) / (10 + 4) for count in (3, 3, 1, 3))
    assert model.next_probs([3, 1]) == pytest.approx(
        [0, *(np.array([0, 2, 0, 1]) + 2 * np.array([one, two, three, end])) / 5]
    )
    unseen = NgramModel(TRANSCRIPTS, vocab_size=5, order=2).next_probs([4])
    assert unseen[4] == min(unseen[1:]) > 0


def test_the_longest_history_counts() -> None:
    said = [[1, 2, 3], [4, 2, 4]] * 20
    assert NgramModel(said, 5, order=2).next_probs([1, 2])[3] == pytest.approx(0.5, abs=0.05)
    assert NgramModel(said, 5, order=3).next_probs([1, 2])[3] > 0.9


@pytest.mark.parametrize(
    ("said", "vocab_size", "order", "message"),
    [
        ([], 5, 2, "no transcript to count n-grams in"),
        ([[1]], 5001, 6, "order 6 over 5001 tokens cannot be counted"),
    ],
)
def test_refused(said: list[list[int]], vocab_size: int, order: int, message: str) -> None:
    with pytest.raises(SerError, match=message):
        NgramModel(said, vocab_size, order)


def test_the_paper_s_vocabulary_has_five_grams() -> None:
    model = NgramModel([[5000, 1, 5000, 1, 5000, 1]], 5001, order=5)
    assert int(model.next_probs([5000, 1, 5000, 1]).argmax()) == 5000
