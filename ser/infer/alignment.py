"""Where each word of the transcript lies: CTC forced alignment of the greedy transcript."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torchaudio.functional import forced_align

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
    log_probs = torch.from_numpy(np.log(np.maximum(ctc, 1e-12)))[None]
    targets = torch.tensor([list(tokens)], dtype=torch.int32)
    path = forced_align(log_probs, targets, blank=BLANK_ID)[0][0].tolist()
    frame = seconds / len(path)
    words: list[Word] = []
    position, previous = -1, BLANK_ID
    for i, token in enumerate(path):
        if token != BLANK_ID and token != previous:
            position += 1
            piece = pieces[position]
            if piece.startswith(" ") or not words:
                words.append(Word(piece.strip(), i * frame, (i + 1) * frame))
            else:
                words[-1] = Word(words[-1].text + piece, words[-1].start, (i + 1) * frame)
        elif token != BLANK_ID:
            words[-1] = Word(words[-1].text, words[-1].start, (i + 1) * frame)
        previous = token
    return words
