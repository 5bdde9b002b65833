"""How the outputs of CTC become tokens; id 0 is the blank.

The greedy transcript is that of stages 3 and 5 (``ser.nn.recogniser.transcribe``) and of a model at
work (``ser.infer.engine``); ``ser.bin.transcribe`` can search with a language model.
"""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from ser.base.arrays import Doubles, Floats
from ser.text.ngram import NgramModel

BLANK_ID = 0
LEAST_LOG_PROB = math.log(1e-4)  # a token below it in a frame begins nothing there


def greedy_ctc(best: Sequence[int]) -> list[int]:
    """Tokens from the best one of each frame: repetitions merged, blanks removed."""
    return [token for token, _ in groupby(best) if token != BLANK_ID]


def greedy_search(scores: Floats) -> list[int]:
    """The greedy transcript: (S, V), of whatever grows with the probability -> tokens."""
    return greedy_ctc(scores.argmax(axis=1).tolist())


@dataclass
class _Prefix:
    """Log probabilities of what a transcript may begin with.

    Attributes:
        language: By the language model, weighted, with the bonus.
        after_blank: By CTC, over the paths that end with a blank.
        after_token: By CTC, over the paths that end with the last token.
    """

    language: float
    after_blank: float = -math.inf
    after_token: float = -math.inf

    @property
    def ctc(self) -> float:
        """Over all paths."""
        return _sum(self.after_blank, self.after_token)

    @property
    def score(self) -> float:
        """By both."""
        return self.ctc + self.language


_Prefixes = dict[tuple[int, ...], _Prefix]


@dataclass(frozen=True)
class BeamSearch:
    """Searches the transcript y with the largest log p_CTC(y) + weight log p_LM(y) + bonus |y|.

    Attributes:
        ngram: p_LM.
        weight: Of the language model.
        bonus: Nats for each token: the language model alone prefers short transcripts.
        beam: Prefixes kept from frame to frame, and tokens that may come next in one.
    """

    ngram: NgramModel
    weight: float
    bonus: float
    beam: int

    def __call__(self, log_probs: Floats) -> list[int]:
        """Prefix search (Hannun et al., 2014): log probabilities (S, V) -> tokens."""
        kept: _Prefixes = {(): _Prefix(0.0, after_blank=0.0)}
        for frame in log_probs:
            kept = self._next(kept, frame.astype(float))
        for tokens, prefix in kept.items():
            prefix.language += self._language(tokens, self.ngram.end_id)
        best, _ = max(kept.items(), key=lambda item: item[1].score)
        return list(best)

    def _next(self, kept: _Prefixes, frame: Doubles) -> _Prefixes:
        """The best prefixes one frame later."""
        likely = [int(token) for token in np.argsort(frame)[-self.beam - 1 :] if token != BLANK_ID]
        likely = [token for token in likely if frame[token] >= LEAST_LOG_PROB]
        grown: _Prefixes = {}
        for tokens, prefix in kept.items():
            same = grown.setdefault(tokens, _Prefix(prefix.language))
            same.after_blank = _sum(same.after_blank, prefix.ctc + frame[BLANK_ID])
            if tokens:
                same.after_token = _sum(same.after_token, prefix.after_token + frame[tokens[-1]])
            for token in likely:
                longer = (*tokens, token)
                if longer not in grown:
                    said = self._language(tokens, token) + self.bonus
                    grown[longer] = _Prefix(prefix.language + said)
                # A token twice needs a blank between; else it is the same one.
                before = prefix.after_blank if tokens[-1:] == (token,) else prefix.ctc
                grown[longer].after_token = _sum(grown[longer].after_token, before + frame[token])
        return dict(heapq.nlargest(self.beam, grown.items(), key=lambda item: item[1].score))

    def _language(self, tokens: tuple[int, ...], token: int) -> float:
        return self.weight * math.log(self.ngram.next_probs(tokens)[token])


def _sum(one: float, other: float) -> float:
    """Of two probabilities, all three as logarithms."""
    return float(np.logaddexp(one, other))
