"""WA, UA and macro-F1 from a confusion matrix."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from ser.base.arrays import Doubles

Codes = npt.NDArray[np.intp]
Confusion = npt.NDArray[np.int64]
Metric = Literal["wa", "ua"]


def confusion_matrix(references: Codes, hypotheses: Codes, num_classes: int) -> Confusion:
    """Counts (C, C): rows are references, columns hypotheses; both are class numbers (N,)."""
    # Unlike their sum, this raises where a number is no class.
    pairs = np.ravel_multi_index((references, hypotheses), (num_classes, num_classes))
    counts = np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)
    return counts.astype(np.int64)


def weighted_accuracy(confusion: Confusion) -> float:
    """WA (section 4.2): correct / all."""
    return float(np.trace(confusion) / confusion.sum())


def recalls(confusion: Confusion) -> Doubles:
    """Recall of each class; NaN for a class without references."""
    with np.errstate(invalid="ignore"):
        found: Doubles = np.diag(confusion) / confusion.sum(axis=1)
    return found


def precisions(confusion: Confusion) -> Doubles:
    """Precision of each class; NaN for a class that is never a hypothesis."""
    return recalls(confusion.T)


def unweighted_accuracy(confusion: Confusion) -> float:
    """UA (section 4.2): mean recall over the classes that have references."""
    return float(np.nanmean(recalls(confusion)))


def macro_f1(confusion: Confusion) -> float:
    """Mean F1 over the classes that occur as reference or hypothesis."""
    both = confusion.sum(axis=0) + confusion.sum(axis=1)
    seen = both > 0
    return float(np.mean(2 * np.diag(confusion)[seen] / both[seen]))


def accuracy(counts: Doubles, correct: Doubles, metric: Metric) -> Doubles:
    """WA or UA of many counts at once, equal to the functions above for each.

    Args:
        counts: (..., C) utterances of each class.
        correct: (..., C, M) those that are right, for each of M systems.
        metric: Which.

    Returns:
        (..., M).
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        if metric == "wa":
            value: Doubles = correct.sum(axis=-2) / counts.sum(axis=-1)[..., None]
        else:
            recall = correct / counts[..., None]
            there = ~np.isnan(recall)
            value = np.where(there, recall, 0).sum(axis=-2) / there.sum(axis=-2)
    return value
