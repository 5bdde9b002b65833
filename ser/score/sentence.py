"""What the figures say, in a sentence that is generated from them."""

from ser.score.intervals import Estimate
from ser.score.paired import SIGNIFICANT, Comparison


def points(estimate: Estimate) -> str:
    """A difference in points with its interval: ``3.5 [0.8, 6.1]``."""
    value = f"{100 * abs(estimate.value):.1f}"
    if estimate.low is None or estimate.high is None:
        return f"{value} [no interval: one speaker]"
    ends = sorted(
        100 * end * (-1 if estimate.value < 0 else 1) for end in (estimate.low, estimate.high)
    )
    return f"{value} [{ends[0]:.1f}, {ends[1]:.1f}]"


def compare_in_words(
    comparison: Comparison, name_a: str, name_b: str, unseen: Estimate | None
) -> str:
    """``TL+MTL is above TL by 3.5 [0.8, 6.1] points of WA ...``, or that it cannot be told.

    Args:
        comparison: The numbers.
        name_a: How system ``a`` is called.
        name_b: How system ``b`` is called.
        unseen: The difference of WA on lines that training does not have, where they are known.
    """
    said = f"{name_a} is {_side(comparison.wa)} {name_b} by {points(comparison.wa)} points of WA"
    if _side(comparison.ua) == _side(comparison.wa):
        said += f" and {points(comparison.ua)} of UA"
    else:
        said += f", and {_side(comparison.ua)} it by {points(comparison.ua)} of UA"
    if unseen is not None:
        said += f"; on unseen lines it is {_side(unseen)} by {points(unseen)} of WA"
    return f"{said}. {_verdict(comparison)}"


def _side(difference: Estimate) -> str:
    return "above" if difference.value >= 0 else "below"


def _verdict(comparison: Comparison) -> str:
    if comparison.wa.low is None:
        return "With one speaker nothing can be said of others."
    if not comparison.wa.excludes_zero:
        return "The difference of WA is within noise."
    if comparison.smallest_p > SIGNIFICANT:
        return (
            "The interval excludes zero, but a permutation test of the folds cannot decide: with "
            f"so few its p is never below {comparison.smallest_p:.4f}."
        )
    if comparison.permutation_holm > SIGNIFICANT:
        return (
            "The interval excludes zero, but the permutation test of the folds does not confirm "
            f"it (p {comparison.permutation_holm:.3f} after Holm's correction)."
        )
    return (
        "The interval excludes zero, and the permutation test of the folds agrees "
        f"(p {comparison.permutation_holm:.3f} after Holm's correction)."
    )
