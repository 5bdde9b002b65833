"""Which epochs are good: for the weights that are kept, and for the patience."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Selection:
    """What tells a good epoch from a bad one.

    Attributes:
        metric: Its name among the validation values.
        higher_is_better: Which way it goes.
        keep_best: Whether the best epochs' weights are kept, rather than the last ones'.
    """

    metric: str
    higher_is_better: bool
    keep_best: bool

    def selection_score(self, value: float) -> float:
        """Higher is better; what is no number is worst."""
        if math.isnan(value):
            return -math.inf
        return value if self.higher_is_better else -value


def out_of_patience(selection_score: Sequence[float], patience_epochs: int | None) -> bool:
    """Whether so many epochs, None for any number, have passed since the best there was."""
    if patience_epochs is None or not selection_score:
        return False
    return len(selection_score) - 1 - selection_score.index(max(selection_score)) >= patience_epochs
