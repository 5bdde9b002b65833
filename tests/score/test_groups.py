"""Groups that figures are broken down by."""

import numpy as np

from ser.score.predictions.evaluation import Evaluation
from ser.score.stats.clusters import find_clusters
from ser.score.stats.groups import groups_of

CODES = np.array([0, 0, 1, 1])
EVALUATION = Evaluation(
    labels=("ang", "hap"),
    utts=("a", "b", "c", "d"),
    ref=CODES,
    fold=CODES,
    session=CODES,
    speaker=CODES,
    clusters=find_clusters(CODES, CODES, CODES),
    hyp={"x": CODES[None]},
    posteriors={},
)


def test_every_group_there_is_and_no_other() -> None:
    attributes = {
        "gender": dict(zip("abcd", "fmfm", strict=True)),
        "type": dict.fromkeys("abcd", ""),
        "emo_raw": dict(zip("abcd", ["ang", "ang", "exc", "hap"], strict=True)),
        "votes": {"a": "E1=ang E2=ang", "b": "E1=ang E2=neu", "c": "E1=hap E2=exc", "d": ""},
        "dur": dict(zip("abcd", ["1.0", "2.0", "3.0", "4.0"], strict=True)),
    }
    audited = {
        "seen": {
            "1": {"a": {"line": "yes"}, "b": {"line": "no"}},
            "2": {"c": {"line": "near"}, "d": {}},
        }
    }
    assert groups_of(EVALUATION, attributes, audited) == {
        "gender": ["f", "m", "f", "m"],
        "line": ["yes", "no", "near", ""],
        "length": ["1.0 to 1.8 s", "1.8 to 2.5 s", "2.5 to 3.2 s", "3.2 to 4.0 s"],
        "agreement": ["all", "some", "all", ""],
    }


def test_lengths_that_rounding_makes_alike_stay_apart() -> None:
    lengths = ["1.61", "1.62", "1.63", "1.64"]
    found = groups_of(EVALUATION, {"dur": dict(zip("abcd", lengths, strict=True))}, None)
    assert len(set(found["length"])) == 4
    found = groups_of(EVALUATION, {"dur": dict.fromkeys("abcd", "1.6")}, None)
    assert found["length"] == ["1.6 to 1.6 s"] * 4


def test_votes_need_the_labels_that_they_are_counted_against() -> None:
    assert groups_of(EVALUATION, {"votes": dict.fromkeys("abcd", "E1=ang")}, None) == {}


def test_a_corpus_that_tells_nothing_has_no_groups() -> None:
    assert groups_of(EVALUATION, {}, None) == {}
