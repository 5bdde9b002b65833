"""Votes of the annotators, and people as classifiers."""

import pytest

from ser.score.stats.agreement import agreement, human_ceiling, parse_votes

CLASSES = {"ang": "ang", "hap": "hap", "exc": "hap", "neu": "neu"}


def test_votes_are_mapped_and_self_reports_left_out() -> None:
    votes = parse_votes("E1=exc E2=neu,fru F1=ang M1=ang", CLASSES)
    assert votes == {"E1": ("hap",), "E2": ("neu", "fru")}
    assert parse_votes("", CLASSES) == {}
    assert set(parse_votes("Mary=ang Fred=ang F=ang M12=ang", CLASSES)) == {"Mary", "Fred", "F"}


def test_agreement() -> None:
    assert agreement({"E1": ("hap",), "E2": ("hap",)}, "hap") == "all"
    assert agreement({"E1": ("hap",), "E2": ("hap", "neu")}, "hap") == "some"
    assert agreement({"E1": ("neu",), "E2": ("sad",)}, "hap") == "none"
    assert agreement({}, "hap") == ""


def test_ceiling_by_hand() -> None:
    """u1: E3 is outvoted, the others face a tie; u2: all agree; u3: two votes, each a half."""
    votes = {
        "u1": parse_votes("E1=ang E2=ang E3=neu", CLASSES),
        "u2": parse_votes("E1=neu E2=neu E3=neu", CLASSES),
        "u3": parse_votes("E1=neu E2=neu E3=neu,ang", CLASSES),
    }
    references = {"u1": "ang", "u2": "neu", "u3": "neu"}
    # u1: E3 wrong against ang. u2: 3 right. u3: E3 half right against neu, and E1 and E2 right
    # against the others' neu, neu, ang.
    found = human_ceiling(votes, references)
    assert found["num_votes"] == 7
    assert found["wa"] == pytest.approx((0 + 3 + 0.5 + 2) / 7)
    assert found["ua"] == pytest.approx((0 / 1 + 5.5 / 6) / 2)


def test_majorities_outside_the_classes_do_not_count() -> None:
    votes = {"u": parse_votes("E1=fru E2=fru E3=ang", CLASSES)}
    assert human_ceiling(votes, {"u": "ang"}) == {}


def test_two_labels_of_one_class_are_one_vote() -> None:
    votes = parse_votes("E1=hap,exc E2=hap", {"hap": "hap", "exc": "hap"})
    assert votes["E1"] == ("hap",)
    assert agreement(votes, "hap") == "all"
