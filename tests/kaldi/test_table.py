"""Tables: sorted in the C locale, every id once, and read as they were written."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.base.errors import SerError
from ser.kaldi.table import invert, read_table, same_ids, write_table

WORDS = st.text(st.characters(exclude_categories=("Z", "C")), min_size=1, max_size=6)


def is_word(text: str) -> bool:
    return text.split() == [text]


@settings(max_examples=50)
@given(
    st.dictionaries(
        WORDS.filter(is_word), st.lists(WORDS.filter(is_word), max_size=3).map(" ".join)
    )
)
def test_written_then_read_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, table: dict[str, str]
) -> None:
    path = tmp_path_factory.mktemp("table") / "text"
    write_table(path, table)
    assert read_table(path) == table
    first = path.read_bytes()
    write_table(path, read_table(path))
    assert path.read_bytes() == first


def test_order_is_that_of_the_c_locale(tmp_path: Path) -> None:
    ids = ["a", "B", "a-1", "a1", "a_1", "A", "10", "9", "\u00e9", "z", "\uff21", "\U0001f600"]
    path = tmp_path / "utt2spk"
    write_table(path, dict.fromkeys(ids, "x"))
    expected = subprocess.run(
        ["sort"],
        input="".join(f"{i} x\n" for i in ids).encode(),
        env={**os.environ, "LC_ALL": "C"},
        stdout=subprocess.PIPE,
        check=True,
    )
    assert path.read_bytes() == expected.stdout
    assert list(read_table(path)) == sorted(ids, key=str.encode)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a 1\nb 2\na 3\n", ":3: the id a occurs twice"),
        ("a 1\na 1\n", ":2: the id a occurs twice"),
        ("b 1\na 2\n", ":2: a is out of order"),
        ("a 1\nB 2\n", ":2: B is out of order"),  # not the order of a human's locale
        ("a 1\n\nb 2\n", ":2: no id in the line"),
        (" 1\n", ":1: no id in the line"),
        ("a\t1\nb 2\n", ":1: a tab after the id"),
        ("a 1\r\nb 2\r\n", ":1: a carriage return in the line"),
        ("a 1\nb 2\rc 3\n", ":2: a carriage return in the line"),
        ("a 1\nb 2", ":2: the last line has no line end; the file was cut"),
    ],
)
def test_violations_are_named_with_their_line(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "text"
    path.write_bytes(content.encode())
    with pytest.raises(SerError) as error:
        read_table(path)
    assert str(error.value).startswith(f"{path}{said}")


def test_an_id_alone_has_the_empty_value(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("a\nb \nc  X Y\n")
    assert read_table(tmp_path / "text") == {"a": "", "b": "", "c": "X Y"}


def test_invert() -> None:
    utt2spk = {"s1-b": "s1", "s2-a": "s2", "s1-B": "s1"}
    assert invert(utt2spk) == {"s1": "s1-B s1-b", "s2": "s2-a"}


@pytest.mark.parametrize(
    ("ids", "expected", "said"),
    [
        ("ab", "a", "x: b not in y"),
        ("a", "cab", "y: b; c not in x"),
        ("", "a", "y: a not in x"),
    ],
)
def test_same_ids(ids: str, expected: str, said: str) -> None:
    same_ids(Path("x"), "ab", Path("y"), "ba")
    with pytest.raises(SerError, match=said):
        same_ids(Path("x"), ids, Path("y"), expected)
