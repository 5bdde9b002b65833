"""Whether posteriors mean what they say, and what abstaining would gain."""

from dataclasses import dataclass

import numpy as np

from ser.metrics.classification import Codes
from ser.score.evaluation import Floats

NUM_BINS = 15


@dataclass(frozen=True)
class Reliability:
    """Bins of equally many decisions, by confidence, the largest posterior.

    Attributes:
        confidence: (K,) mean confidence of each bin.
        accuracy: (K,) share of right decisions in it.
        error: Expected calibration error: the mean of their distance, bins weighed by size.
    """

    confidence: Floats
    accuracy: Floats
    error: float


def reliability(posteriors: Floats, ref: Codes) -> Reliability:
    """Expected calibration error over 15 bins of equal mass (Nguyen & O'Connor 2015).

    Args:
        posteriors: (..., C); decisions of several seeds are pooled.
        ref: (...,) classes.
    """
    confidence = posteriors.max(axis=-1).ravel()
    right = (posteriors.argmax(axis=-1) == ref).ravel().astype(float)
    order = np.argsort(confidence, kind="stable")
    bins = [part for part in np.array_split(order, NUM_BINS) if len(part)]
    mean_confidence = np.array([confidence[part].mean() for part in bins])
    accuracy = np.array([right[part].mean() for part in bins])
    sizes = np.array([len(part) for part in bins])
    error = float((sizes * np.abs(mean_confidence - accuracy)).sum() / sizes.sum())
    return Reliability(mean_confidence, accuracy, error)


def risk_coverage(posteriors: Floats, ref: Codes) -> tuple[Floats, Floats]:
    """Error among the most confident decisions, as more of them are taken (El-Yaniv & Wiener 2010).

    Args:
        posteriors: (..., C); decisions of several seeds are pooled.
        ref: (...,) classes.

    Returns:
        Coverage (N,) from 1/N to 1, and risk (N,), the share of wrong decisions among these.
    """
    confidence = posteriors.max(axis=-1).ravel()
    wrong = (posteriors.argmax(axis=-1) != ref).ravel()
    order = np.argsort(-confidence, kind="stable")
    taken = np.arange(1, len(order) + 1)
    return taken / len(order), np.cumsum(wrong[order]) / taken
