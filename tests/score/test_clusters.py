"""The unit of intervals: whatever no other unit shares a trained model or a session with."""

import numpy as np
import pytest

from ser.score.stats.clusters import find_clusters


@pytest.mark.parametrize(
    ("session", "speaker", "fold", "unit", "code", "share_models"),
    [
        # A session a fold, two speakers each.
        ("0011", "0123", "0011", "sessions", "0011", False),
        # Each speaker a session and a fold of their own.
        ("0123", "0123", "0123", "speakers", "0123", False),
        # As many sessions as speakers, who all speak in each: no speaker is new.
        (
            "000111222",
            "012012012",
            "000111222",
            "sessions that share speakers",
            "000111222",
            False,
        ),
        # Two speakers a fold: they share its model.
        ("0123", "0123", "0011", "folds", "0011", False),
        # A session in two folds, one a speaker or one a scene: its folds are not new people.
        ("0011", "0123", "0123", "sessions", "0011", False),
        # Folds of several sessions, some of which other folds test too.
        ("01123", "01123", "00123", "groups of folds that share speakers", "00012", False),
        # Session 1 and 2 of everybody: the folds' speakers are new all the same.
        ("01010101", "00112233", "00001111", "folds", "00001111", False),
        ("0101", "0011", "0011", "speakers", "0011", False),
        ("010101", "001122", "011122", "groups of folds that share speakers", "000011", False),
        # Random turns hang together: sessions, all of which share models.
        ("00001111", "00112233", "01010101", "sessions", "00001111", True),
        # One fold alone: its sessions, or its speakers.
        ("0011", "0123", "0000", "sessions", "0011", True),
        ("0000", "0011", "0000", "speakers", "0011", True),
        # Folds of several sessions with one cast.
        ("00112233", "01010101", "00001111", "folds that share speakers", "00001111", False),
        # Session 1 and 2 of everybody but one, who has none.
        (
            "01" * 9 + "22",
            "001122334455667788" + "99",
            "001122334455667788" + "99",
            "speakers",
            "001122334455667788" + "99",
            False,
        ),
        # Each speaker has several sessions, which are not independent.
        ("0123", "0011", "0000", "speakers", "0011", True),
        ("001234", "010122", "000000", "groups of sessions that share speakers", "000011", True),
        # One cast in all sessions.
        ("001122", "010101", "000000", "sessions that share speakers", "001122", True),
        # Session 1 and 2 of everybody.
        ("010101", "001122", "000000", "speakers that share sessions", "001122", True),
        (
            "0" * 10 + "12",
            "0" * 11 + "1",
            "0" * 12,
            "speakers",
            "0" * 11 + "1",
            True,
        ),
    ],
)
def test_units(
    session: str, speaker: str, fold: str, unit: str, code: str, share_models: bool
) -> None:
    found = find_clusters(*(np.array(list(map(int, codes))) for codes in (session, speaker, fold)))
    assert (found.unit, found.share_models) == (unit, share_models)
    assert "".join(map(str, found.code)) == code
    assert found.number == len(set(code))
