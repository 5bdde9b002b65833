"""The table of faults: in which call, what, what is said, and what is done about it."""

from collections.abc import Sequence

from row import Row
from rows_of_data import BPES, FEATS, FOLDS, OF_STAGES, READ, TABLE
from rows_of_results import PACK, SCORE, VERIFY
from rows_of_training import FINETUNE, PREDICT, PRETRAIN

ROWS: Sequence[Row] = [
    *OF_STAGES, *READ, *TABLE, *FOLDS, *FEATS, *BPES, *PRETRAIN, *FINETUNE, *PREDICT, *SCORE, *PACK,
    *VERIFY,
]  # fmt: skip
