"""Where each word of the transcript lies: CTC forced alignment of the greedy transcript."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ser.base.arrays import Floats
from ser.text.ctc import BLANK_ID


@dataclass(frozen=True)
class Word:
    """A recognised word and its place, in seconds."""

    text: str
    start: float
    end: float


def align(ctc: Floats, tokens: Sequence[int], pieces: Sequence[str], seconds: float) -> list[Word]:
    """The place of each word: the best path through the CTC probabilities (torchaudio).

    Args:
        ctc: (S, V) probabilities.
        tokens: The greedy transcript.
        pieces: Their texts; one that begins a word begins with a space.
        seconds: Length of the utterance.
    """
    if not tokens:
        return []
    import torch  # whose absence ser.infer.torch_engine tells
    from torchaudio.functional import forced_align, merge_tokens

    log_probs = torch.from_numpy(np.log(np.maximum(ctc, 1e-12)))[None]
    targets = torch.tensor([list(tokens)], dtype=torch.int32)
    paths, scores = forced_align(log_probs, targets, blank=BLANK_ID)
    frame = seconds / paths.shape[1]
    words: list[Word] = []
    for piece, span in zip(pieces, merge_tokens(paths[0], scores[0], BLANK_ID), strict=True):
        start, end = span.start * frame, span.end * frame
        if piece.startswith(" ") or not words:
            words.append(Word(piece.strip(), start, end))
        else:
            words[-1] = Word(words[-1].text + piece, words[-1].start, end)
    return words
