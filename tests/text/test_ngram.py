"""The n-gram language model of tokens."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser.base.errors import SerError
from ser.text.ngram import NgramModel

Ngram = tuple[int, ...]

TRANSCRIPTS = [[1, 2, 1], [1, 2, 3], [2]]
transcripts = st.lists(st.lists(st.integers(1, 4), max_size=6), min_size=1, max_size=6)


def ngram_counts(
    said: Sequence[Sequence[int]], vocab_size: int, order: int
) -> list[Counter[Ngram]]:
    """Of each length, the counts of the class, n-gram by n-gram."""
    lines = [[0] * (order - 1) + list(tokens) + [vocab_size] for tokens in said]
    occurring = [
        Counter(tuple(line[i - n : i + 1]) for line in lines for i in range(order - 1, len(line)))
        for n in range(order)
    ]
    longer = [
        {tuple(line[i - n - 1 : i + 1]) for line in lines for i in range(order - 1, len(line))}
        for n in range(order - 1)
    ]
    counted = [
        Counter(
            {g: c if g[0] == 0 else sum(m[1:] == g for m in longer[n]) for g, c in found.items()}
        )
        for n, found in enumerate(occurring[:-1])
    ]
    return [*counted, occurring[-1]]


def discount(counts: Counter[Ngram], count: int) -> float:
    """What is taken from a count."""
    n = Counter(counts.values())
    if n[1] and n[2] and n[3]:
        share = n[1] / (n[1] + 2 * n[2])
        found = [k - (k + 1) * share * n[k + 1] / n[k] for k in (1, 2, 3)]
        if min(found) > 0:
            return found[min(count, 3) - 1]
    return (0.5, 1.0, 1.5)[min(count, 3) - 1]


def by_counting(
    said: Sequence[Sequence[int]], vocab_size: int, order: int, before: Sequence[int], token: int
) -> float:
    """The formula of the class, n-gram by n-gram."""
    probability = 1 / vocab_size
    history = ([0] * order + list(before))[-(order - 1) :] if order > 1 else []
    for n, counts in enumerate(ngram_counts(said, vocab_size, order)):
        last = tuple(history[len(history) - n :])
        behind = {g[-1]: c for g, c in counts.items() if g[:-1] == last}
        if behind:
            less = {w: discount(counts, c) for w, c in behind.items()}
            own = behind.get(token, 0) - less.get(token, 0)
            probability = (own + probability * sum(less.values())) / sum(behind.values())
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
    # Before 1 and before 2 stand two tokens (one is the start), before 3 one, before the end three:
    # one count of 1, two of 2, one of 3. The discounts of 1, 2, 3 are 0.2, 1.7, 3; in all 6.6.
    one, two, three, end = (x + 6.6 / 4 for x in (2 - 1.7, 2 - 1.7, 1 - 0.2, 3 - 3))
    # Six bigrams occur once, two twice, none thrice: the discounts are 0.5 and 1.
    # Behind 1: twice 2, once the end.
    assert model.next_probs([3, 1]) == pytest.approx(
        [0, *(np.array([0, 2 - 1, 0, 1 - 0.5]) + 1.5 * np.array([one, two, three, end]) / 8) / 3]
    )
    unseen = NgramModel(TRANSCRIPTS, vocab_size=5, order=2).next_probs([4])
    assert unseen[4] == min(unseen[1:]) > 0


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_equals_counting_where_discounts_are_estimated(order: int) -> None:
    rng = np.random.default_rng(0)
    said = [(rng.geometric(0.2, size=rng.integers(1, 12)) % 30 + 1).tolist() for _ in range(60)]
    estimated = [
        len({discount(c, k) for k in (1, 2, 3)} & {0.5, 1.0, 1.5}) == 0
        for c in ngram_counts(said, 31, order)
    ]
    assert any(estimated)
    model = NgramModel(said, vocab_size=31, order=order)
    for before in (said[0][:3], said[1][:1], [29, 30]):
        assert model.next_probs(before)[1:] == pytest.approx(
            [by_counting(said, 31, order, before, t) for t in range(1, 32)]
        )


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
