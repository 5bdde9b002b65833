"""What the figures say, in a sentence that is generated from them."""

from ser.score.report.document import percent
from ser.score.stats.intervals import Estimate
from ser.score.stats.paired import SIGNIFICANT, Comparison


def points(estimate: Estimate) -> str:
    """The size of a difference in points with its interval: ``3.5 [0.8, 6.1]``."""
    value = percent(abs(estimate.value))
    if estimate.low is None or estimate.high is None:
        return f"{value} [no interval]"
    low, high = sorted(
        end * (-1 if estimate.value < 0 else 1) for end in (estimate.low, estimate.high)
    )
    return f"{value} [{percent(low)}, {percent(high)}]"


def compare_in_words(
    comparison: Comparison, name_a: str, name_b: str, unseen: Estimate | None, unit: str
) -> str:
    """``TL+MTL is above TL by 3.5 [0.8, 6.1] points of WA ...``, or that their order is open.

    Args:
        comparison: The numbers.
        name_a: How system ``a`` is called.
        name_b: How system ``b`` is called.
        unseen: The difference of WA on lines that training does not have, where they are known.
        unit: What the clusters are that intervals and permutations are over, in the plural.
    """
    said = f"{name_a} is {_stands(comparison.wa, name_b)} points of WA"
    if _side(comparison.ua) == _side(comparison.wa):
        said += f" and {points(comparison.ua)} of UA"
    else:
        said += f", and {_stands(comparison.ua, 'it')} of UA"
    if unseen is not None:
        said += f"; on unseen lines it is {_stands(unseen)} of WA"
    return f"{said}. {_verdict(comparison, unit)}"


def _side(difference: Estimate) -> str:
    """``level`` where the table shows 0.0 points."""
    shown = float(percent(difference.value))
    return "level" if shown == 0 else "above" if shown > 0 else "below"


def _stands(difference: Estimate, other: str = "") -> str:
    """``above TL by 3.5 [0.8, 6.1]``, ``level with TL, 0.0 [-1.2, 1.2]``."""
    side = _side(difference)
    if side == "level":
        return f"level{' with' if other else ''} {other}".rstrip() + f", {points(difference)}"
    return f"{side} {other}".rstrip() + f" by {points(difference)}"


def _p(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _verdict(comparison: Comparison, unit: str) -> str:
    if comparison.wa.low is None:
        return f"With one of the {unit} nothing can be said of others."
    if not comparison.wa.excludes_zero:
        return "The difference of WA is within noise."
    if comparison.smallest_holm > SIGNIFICANT:
        return (
            f"The interval excludes zero, but a permutation test of the {unit} cannot decide: with "
            f"so few its p is never below {comparison.smallest_p:.4f}, after Holm's correction "
            f"{comparison.smallest_holm:.4f}."
        )
    if comparison.permutation_holm > SIGNIFICANT:
        return (
            f"The interval excludes zero, but the permutation test of the {unit} does not confirm "
            f"it (p {_p(comparison.permutation_holm)} after Holm's correction)."
        )
    return (
        f"The interval excludes zero, and the permutation test of the {unit} agrees "
        f"(p {_p(comparison.permutation_holm)} after Holm's correction)."
    )
