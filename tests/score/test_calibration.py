"""Calibration and risk-coverage, by construction and by hand."""

import numpy as np
import pytest

from ser.score.stats.calibration import NUM_BINS, fit_temperature, reliability, risk_coverage


def decisions(confidence: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    posteriors = np.stack([confidence, 1 - confidence], axis=-1)
    return posteriors, np.where(right, 0, 1)


def test_calibrated_posteriors_have_no_error() -> None:
    rng = np.random.default_rng(1)
    confidence = rng.uniform(0.5, 1, 200_000)
    found = reliability(*decisions(confidence, rng.random(200_000) < confidence))
    assert found.error < 0.01
    assert found.accuracy == pytest.approx(found.confidence, abs=0.02)


def test_overconfidence_is_its_distance() -> None:
    confidence = np.full(1500, 0.9)
    right = np.repeat([True, True, True, False, False], 300)
    found = reliability(*decisions(confidence, right))
    assert found.error == pytest.approx(0.3)
    assert len(found.confidence) == NUM_BINS


def test_too_sure_here_and_too_unsure_there_do_not_cancel() -> None:
    confidence = np.repeat([0.9, 0.6], [700, 800])  # seven bins and eight
    right = np.concatenate([np.arange(700) % 10 < 6, np.arange(800) % 10 < 9])
    assert reliability(*decisions(confidence, right)).error == pytest.approx(0.3, abs=1e-6)


def test_fewer_decisions_than_bins() -> None:
    assert len(reliability(*decisions(np.array([0.8, 0.6]), np.array([True, True]))).accuracy) == 2


def test_risk_rises_as_less_confident_decisions_are_taken() -> None:
    confidence, right = np.array([0.6, 0.9, 0.8, 0.7]), np.array([False, True, True, False])
    coverage, risk = risk_coverage(*decisions(confidence, right))
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert risk == pytest.approx([0, 0, 1 / 3, 1 / 2])


def test_equal_confidence_has_no_order() -> None:
    posteriors, ref = decisions(np.full(10, 0.9), np.arange(10) < 6)
    _, risk = risk_coverage(posteriors, ref)
    assert risk == pytest.approx([0.4] * 10)


def test_seeds_are_pooled() -> None:
    posteriors, ref = decisions(np.array([0.9, 0.8]), np.array([True, False]))
    both = np.stack([posteriors, posteriors])
    coverage, risk = risk_coverage(both, np.stack([ref, ref]))
    assert len(coverage) == 4
    assert risk[-1] == 0.5


def test_the_temperature_is_that_of_the_truth() -> None:
    """Posteriors sharpened by a known factor, labels drawn from the unsharpened ones."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20000, 4))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    ref = np.array([rng.choice(4, p=row) for row in shares])
    sharp = np.exp(2.5 * logits) / np.exp(2.5 * logits).sum(axis=1, keepdims=True)
    assert fit_temperature(sharp, ref) == pytest.approx(2.5, rel=0.05)
    assert fit_temperature(shares, ref) == pytest.approx(1.0, rel=0.05)
