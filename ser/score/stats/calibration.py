"""Whether posteriors mean what they say, and what abstaining would gain."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from ser.base.arrays import Doubles
from ser.metrics.classification import Codes

NUM_BINS = 15
MIN_POSTERIOR = 1e-6  # prediction tables have six digits
LOG_TEMPERATURES = (-3.0, 3.0)


@dataclass(frozen=True)
class Reliability:
    """Bins of equally many decisions, by confidence, the largest posterior.

    Attributes:
        confidence: (K,) mean confidence of each bin.
        accuracy: (K,) share of right decisions in it.
        error: Expected calibration error: the mean of their distance, bins weighed by size.
    """

    confidence: Doubles
    accuracy: Doubles
    error: float


def reliability(posteriors: Doubles, ref: Codes) -> Reliability:
    """Expected calibration error over 15 bins of equal mass (Nguyen & O'Connor 2015).

    Decisions of equal confidence share their accuracy, so that their order does not matter.

    Args:
        posteriors: (..., C); decisions of several seeds are pooled.
        ref: (...,) classes.
    """
    confidence = posteriors.max(axis=-1).ravel()
    right = _mean_of_ties(confidence, (posteriors.argmax(axis=-1) == ref).ravel())
    order = np.argsort(confidence, kind="stable")
    bins = [part for part in np.array_split(order, NUM_BINS) if len(part)]
    mean_confidence = np.array([confidence[part].mean() for part in bins])
    accuracy = np.array([right[part].mean() for part in bins])
    sizes = np.array([len(part) for part in bins])
    error = float((sizes * np.abs(mean_confidence - accuracy)).sum() / sizes.sum())
    return Reliability(mean_confidence, accuracy, error)


def _mean_of_ties(confidence: Doubles, values: npt.NDArray[np.bool_]) -> Doubles:
    """Values (N,), each the mean of those whose confidence (N,) is the same."""
    group = np.unique(confidence, return_inverse=True)[1]
    means: Doubles = np.bincount(group, values) / np.bincount(group)
    return means[group]


def fit_temperature(posteriors: Doubles, ref: Codes) -> float:
    """The temperature that gives the least negative log likelihood (Guo et al. 2017).

    Args:
        posteriors: (N, C), of utterances that the models did not train on.
        ref: (N,) classes.

    Returns:
        What the logits are to be divided by; above 1 where the models are too sure.
    """
    logits = np.log(np.maximum(posteriors, MIN_POSTERIOR))

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        normal = scaled - logsumexp(scaled, axis=1, keepdims=True)
        return float(-normal[np.arange(len(ref)), ref].mean())

    found = minimize_scalar(loss, bounds=LOG_TEMPERATURES, method="bounded")
    return float(np.exp(found.x))


def risk_coverage(posteriors: Doubles, ref: Codes) -> tuple[Doubles, Doubles]:
    """Error among the most confident decisions, as more of them are taken (El-Yaniv & Wiener 2010).

    Args:
        posteriors: (..., C); decisions of several seeds are pooled.
        ref: (...,) classes.

    Returns:
        Coverage (N,) from 1/N to 1, and risk (N,), the share of wrong decisions among these.
    """
    confidence = posteriors.max(axis=-1).ravel()
    wrong = _mean_of_ties(confidence, (posteriors.argmax(axis=-1) != ref).ravel())
    order = np.argsort(-confidence, kind="stable")
    taken = np.arange(1, len(order) + 1)
    return taken / len(order), np.cumsum(wrong[order]) / taken
