"""How the outputs of CTC become tokens; id 0 is the blank.

``ser.nn.recogniser.transcribe`` decodes so in stages 3 and 5, ``ser.infer.engine`` in a model at
work.
"""

from collections.abc import Sequence
from itertools import groupby

BLANK_ID = 0


def greedy_ctc(best: Sequence[int]) -> list[int]:
    """Tokens from the best one of each frame: repetitions merged, blanks removed."""
    return [token for token, _ in groupby(best) if token != BLANK_ID]
