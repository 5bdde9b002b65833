"""The generated sentence: every number in it is given, and noise is called noise."""

from dataclasses import replace

from ser.score.report.sentences import compare_in_words
from ser.score.stats.intervals import Estimate
from ser.score.stats.paired import Comparison

CLEAR = Comparison(
    a="mtl",
    b="tl",
    wa=Estimate(0.035, 0.008, 0.061),
    ua=Estimate(0.04, 0.01, 0.07),
    mcnemar_p=0.001,
    permutation_p=0.03125,
    smallest_p=0.03125,
    mcnemar_holm=0.002,
    permutation_holm=0.03125,
    smallest_holm=0.03125,
)


def words(comparison: Comparison, unseen: Estimate | None = None) -> str:
    return compare_in_words(comparison, "TL+MTL", "TL", unseen, "folds")


def test_a_clear_difference() -> None:
    assert words(CLEAR) == (
        "TL+MTL is above TL by 3.5 [0.8, 6.1] points of WA and 4.0 [1.0, 7.0] of UA. The interval "
        "excludes zero, and the permutation test of the folds agrees (p 0.031 after Holm's "
        "correction)."
    )


def test_unseen_lines_are_told_apart() -> None:
    said = words(CLEAR, Estimate(-0.004, -0.03, 0.022))
    assert "; on unseen lines it is below by 0.4 [-2.2, 3.0] of WA. " in said


def test_noise_is_called_noise() -> None:
    said = words(replace(CLEAR, wa=Estimate(0.01, -0.02, 0.04)))
    assert said.endswith("The difference of WA is within noise.")


def test_five_folds_cannot_decide() -> None:
    said = words(replace(CLEAR, smallest_p=0.0625, smallest_holm=0.375, permutation_holm=0.375))
    assert "a permutation test of the folds cannot decide: with so few its p is never " in said
    assert said.endswith(" below 0.0625, after Holm's correction 0.3750.")


def test_six_folds_that_decide_one_pair_cannot_decide_six() -> None:
    said = words(replace(CLEAR, smallest_holm=0.1875, permutation_holm=0.1875))
    assert "cannot decide" in said


def test_no_difference_is_neither_above_nor_below() -> None:
    none = Estimate(-0.0004, -0.0004, 0.0)
    said = words(replace(CLEAR, wa=none, ua=none))
    assert said.startswith("TL+MTL is level with TL, 0.0 [0.0, 0.0] points of WA and 0.0 [")


def test_folds_that_disagree_are_told() -> None:
    said = words(replace(CLEAR, permutation_holm=0.21))
    assert "does not confirm it (p 0.210 after Holm's correction)" in said


def test_signs_that_differ_and_a_single_speaker() -> None:
    said = words(replace(CLEAR, wa=Estimate(-0.035, -0.061, -0.008)))
    assert (
        "TL+MTL is below TL by 3.5 [0.8, 6.1] points of WA, and above it by 4.0 [1.0, 7.0]" in said
    )
    alone = Estimate(0.1, None, None)
    said = words(replace(CLEAR, wa=alone, ua=alone))
    assert "10.0 [no interval]" in said
    assert said.endswith("With one of the folds nothing can be said of others.")
