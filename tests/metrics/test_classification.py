"""WA, UA and macro-F1, by hand and against scikit-learn."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser.metrics.classification import (
    Confusion,
    confusion_matrix,
    macro_f1,
    recalls,
    unweighted_accuracy,
    weighted_accuracy,
)

LABELS = ("ang", "hap", "neu", "sad")


def confusion_of(
    references: Sequence[str], hypotheses: Sequence[str], labels: Sequence[str]
) -> Confusion:
    code = {label: i for i, label in enumerate(labels)}
    ref, hyp = (np.array([code[x] for x in side]) for side in (references, hypotheses))
    return confusion_matrix(ref, hyp, len(labels))


def test_by_hand_where_wa_and_ua_differ() -> None:
    """8 of 10 angry, 1 of 2 sad: WA 9/12 counts utterances, UA (0.8 + 0.5) / 2 classes."""
    references = ["ang"] * 10 + ["sad"] * 2
    hypotheses = ["ang"] * 8 + ["sad"] * 2 + ["sad", "ang"]
    confusion = confusion_of(references, hypotheses, ("ang", "sad"))
    assert confusion.tolist() == [[8, 2], [1, 1]]
    assert weighted_accuracy(confusion) == pytest.approx(0.75)
    assert unweighted_accuracy(confusion) == pytest.approx(0.65)
    assert macro_f1(confusion) == pytest.approx((16 / 19 + 2 / 5) / 2)


def test_a_class_without_references_has_no_recall_and_no_share_in_ua() -> None:
    confusion = confusion_of(["ang", "ang", "sad"], ["ang", "hap", "sad"], LABELS)
    np.testing.assert_array_equal(recalls(confusion), [0.5, np.nan, np.nan, 1.0])
    assert unweighted_accuracy(confusion) == pytest.approx(0.75)


@pytest.mark.filterwarnings("ignore:A single label was found")
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@given(st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=1))
def test_agrees_with_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    from sklearn import metrics  # seconds to import

    references, hypotheses = [r for r, _ in pairs], [h for _, h in pairs]
    confusion = confusion_of(references, hypotheses, LABELS)
    assert (confusion == metrics.confusion_matrix(references, hypotheses, labels=LABELS)).all()
    assert weighted_accuracy(confusion) == pytest.approx(
        np.mean([r == h for r, h in pairs], dtype=float)
    )
    assert unweighted_accuracy(confusion) == pytest.approx(
        metrics.balanced_accuracy_score(references, hypotheses)
    )
    assert macro_f1(confusion) == pytest.approx(
        metrics.f1_score(references, hypotheses, average="macro")
    )


@pytest.mark.parametrize(("reference", "hypothesis"), [(0, 3), (3, 0), (-1, 0)])
def test_a_number_that_is_no_class_is_an_error(reference: int, hypothesis: int) -> None:
    with pytest.raises(ValueError, match="invalid entry in coordinates array"):
        confusion_matrix(np.array([1, reference]), np.array([2, hypothesis]), 3)
