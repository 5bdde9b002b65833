"""An n-gram language model of tokens: which one follows those before it."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np

from ser.base.arrays import Doubles, Integers
from ser.base.errors import SerError

START_ID = 0  # before the first token; in transcripts it would be CTC's blank, which is in none
CACHED_HISTORIES = 4096  # of V probabilities each: 160 MB for V = 5000
USUAL_DISCOUNTS = (0.5, 1.0, 1.5)  # where too little text is there to estimate them, as in KenLM


class NgramModel:
    """Probabilities of the next token: modified Kneser-Ney (Chen and Goodman, 1999, section 3.1).

    The tokens behind the n tokens before it have the counts c(v), c in all, and the discounts d(v):
    p_n(w) = (c(w) - d(w) + p_{n-1}(w) sum_v d(v)) / c. Those before p_0 are all alike. An n-gram of
    the full order counts as often as it occurs, a shorter one as often as there are different
    tokens before it.

    Args:
        transcripts: Token ids in [1, V), one sequence a transcript.
        vocab_size: V.
        order: Tokens of the longest n-gram: one, and those before it.

    Raises:
        SerError: There is no transcript, or the order is too high for V.
    """

    def __init__(self, transcripts: Iterable[Sequence[int]], vocab_size: int, order: int) -> None:
        self.end_id = vocab_size  # after the last token
        self._base = vocab_size + 1
        self._start = (START_ID,) * (order - 1)
        if self._base**order >= 1 << 63:
            raise SerError(
                f"n-grams of order {order} over {vocab_size} tokens cannot be counted; expected "
                f"{self._base} to the power of the order below 2^63; choose a lower order"
            )
        lines = [[*self._start, *tokens, self.end_id] for tokens in transcripts]
        if not lines:
            raise SerError("no transcript to count n-grams in; expected at least one")
        text = np.concatenate([np.array(line, np.int64) for line in lines])
        places = np.flatnonzero(text != START_ID)
        # An n-gram is a number in base V + 1, its last token the last digit: those that begin
        # alike are neighbours.
        codes = sum(text[places - before] * self._base**before for before in range(order))
        codes, counts = np.unique(codes, return_counts=True)
        self._ngrams = [(codes, counts, _discounts(counts))]
        for n in range(order - 1, 0, -1):
            shorter = codes % self._base**n
            # Before a start stands nothing else: those count as often as they occur.
            after_start = shorter // self._base ** (n - 1) == START_ID
            codes, places = np.unique(shorter, return_inverse=True)
            weights = np.where(after_start, counts, 1)
            counts = np.bincount(places, weights).astype(np.int64)
            self._ngrams.insert(0, (codes, counts, _discounts(counts)))
        self._next = lru_cache(CACHED_HISTORIES)(self._interpolate)

    def next_probs(self, tokens: Sequence[int]) -> Doubles:
        """The probability of each token, (V + 1,), of the end too, after those of a transcript."""
        padded = (*self._start, *tokens)
        return self._next(padded[len(padded) - len(self._start) :])

    def _interpolate(self, history: tuple[int, ...]) -> Doubles:
        if history:
            lower = self._next(history[1:])
        else:
            lower = np.full(self._base, 1 / (self._base - 1))
            lower[START_ID] = 0.0
        codes, counts, discounts = self._ngrams[len(history)]
        code = 0
        for token in history:
            code = code * self._base + token
        first, last = np.searchsorted(codes, [code * self._base, (code + 1) * self._base])
        seen, less = counts[first:last], discounts[first:last]
        if not len(seen):
            return lower
        probs: Doubles = lower * less.sum()
        probs[codes[first:last] - code * self._base] += seen - less
        probs /= seen.sum()
        return probs


def _discounts(counts: Integers) -> Doubles:
    """What is taken from each count: of k = 1, 2, and of 3 and more.

    Where n_k n-grams have the count k: k - (k + 1) n_1 / (n_1 + 2 n_2) n_{k+1} / n_k.
    """
    once, twice, thrice, four_times = np.bincount(counts, minlength=5)[1:5]
    by_count = np.array(USUAL_DISCOUNTS)
    if once and twice and thrice:
        share = once / (once + 2 * twice)
        ratios = np.array([2 * twice / once, 3 * thrice / twice, 4 * four_times / thrice])
        found = np.array([1, 2, 3]) - share * ratios
        if (found > 0).all():
            by_count = found
    taken: Doubles = by_count[np.minimum(counts, 3) - 1]
    return taken
