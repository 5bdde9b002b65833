"""An n-gram language model of tokens: which one follows those before it."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np

from ser.base.arrays import Doubles
from ser.base.errors import SerError

START_ID = 0  # before the first token; in transcripts it would be CTC's blank, which is in none
CACHED_HISTORIES = 4096  # of V probabilities each: 160 MB for V = 5000


class NgramModel:
    """Probabilities of the next token, interpolated after Witten and Bell (1991).

    Where the n tokens before it were seen c times, with k different ones behind them, and w behind
    them c(w) times: p_n(w) = (c(w) + k p_{n-1}(w)) / (c + k). Below p_0 all tokens are alike.

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
        codes, self._ngrams = np.zeros_like(places), []
        for before in range(order):
            codes = codes + text[places - before] * self._base**before
            self._ngrams.append(np.unique(codes, return_counts=True))
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
        codes, counts = self._ngrams[len(history)]
        code = 0
        for token in history:
            code = code * self._base + token
        first, last = np.searchsorted(codes, [code * self._base, (code + 1) * self._base])
        seen = counts[first:last]
        if not len(seen):
            return lower
        probs: Doubles = lower * len(seen)
        probs[codes[first:last] - code * self._base] += seen
        probs /= seen.sum() + len(seen)
        return probs
