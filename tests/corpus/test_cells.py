"""Times in tables."""

import pytest

from ser.base.errors import SerError
from ser.corpus.parsers.cells import seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e-05", 1e-5),
        ("0:01.5", 1.5),
        ("1:02:03", 3723),
        ("0 days 00:00:01.500000", 1.5),
        ("1 days 00:00:01", 86401),
        ("NaT", None),
        ("", None),
    ],
)
def test_times(text: str, expected: float | None) -> None:
    assert seconds("start", text) == expected


@pytest.mark.parametrize(
    "text", ["-1", "-0:01", "1:-30", "1_0", "1:2:3:4", "inf", "1e999", "-1 days +23:59:59", "a"]
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(SerError, match=r"expected seconds, as 1\.5, or a time"):
        seconds("start", text)
