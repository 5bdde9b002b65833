"""BPE: exactly the asked size, id 0 for the blank, and errors that name a size that works."""

import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.base.errors import SerError
from ser.base.record import Record
from ser.config.schema import BpeConfig
from ser.text.bpe import Tokenizer, train_bpe, write_bpe
from ser.text.ctc import BLANK_ID

WHERE = Path("data/asr_train/text")
WORDS = "THE QUICK BROWN FOX JUMPS OVER A LAZY DOG DON'T SAY IT'S NEVER EVER QUITE SO".split()
TEXT = [" ".join(random.Random(i).choices(WORDS, k=8)) for i in range(40)]


def config(num_pieces: int) -> BpeConfig:
    return BpeConfig(num_pieces=num_pieces, character_coverage=1.0)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(train_bpe(TEXT, config(60), WHERE))


def test_the_training_text_comes_back_without_blank_or_unknown(tokenizer: Tokenizer) -> None:
    for line in TEXT:
        tokens = tokenizer.encode(line)
        assert BLANK_ID not in tokens
        assert 1 not in tokens  # SentencePiece's own id 0, the unknown piece
        assert max(tokens) < tokenizer.vocab_size
        assert tokenizer.decode(tokens) == line
    assert tokenizer.encode("") == []
    assert tokenizer.decode([]) == ""


@settings(max_examples=50)
@given(st.lists(st.sampled_from(WORDS)))
def test_any_order_of_known_words_comes_back(tokenizer: Tokenizer, words: list[str]) -> None:
    assert tokenizer.decode(tokenizer.encode(" ".join(words))) == " ".join(words)


def test_unknown_characters_are_the_unknown_piece_and_not_the_blank(tokenizer: Tokenizer) -> None:
    tokens = tokenizer.encode("\u4f60\u597d")
    assert 1 in tokens
    assert BLANK_ID not in tokens


def test_the_same_text_gives_the_same_model() -> None:
    assert train_bpe(TEXT, config(60), WHERE) == train_bpe(TEXT, config(60), WHERE)


def test_empty_transcripts_are_passed_over() -> None:
    assert train_bpe(["", *TEXT, ""], config(60), WHERE) == train_bpe(TEXT, config(60), WHERE)


@pytest.mark.parametrize(
    ("pieces", "most_or_least", "beyond", "said"),
    [
        (5000, "most", 1, "num_pieces 5000 .*40 transcripts"),
        (10, "least", -1, "is less than the characters of the text"),
    ],
)
def test_another_number_of_pieces_names_the_nearest_that_works(
    pieces: int, most_or_least: str, beyond: int, said: str
) -> None:
    with pytest.raises(SerError, match=said) as error:
        train_bpe(TEXT, config(pieces), WHERE)
    assert str(error.value).startswith(f"{WHERE}: bpe.yaml num_pieces {pieces} ")
    found = re.search(rf"expected at {most_or_least} (\d+)", str(error.value))
    assert found
    nearest = int(found[1])
    assert Tokenizer(train_bpe(TEXT, config(nearest), WHERE)).vocab_size == nearest + 1
    with pytest.raises(SerError, match=f"expected at {most_or_least} {nearest}"):
        train_bpe(TEXT, config(nearest + beyond), WHERE)


@pytest.mark.parametrize("text", [[], [""], ["", ""]])
def test_no_text(text: list[str]) -> None:
    with pytest.raises(SerError, match=f"{WHERE}: no words in it"):
        train_bpe(text, config(60), WHERE)


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "no such file"), (b"", "0 bytes"), (b"no model", "not a SentencePiece model")],
)
def test_a_damaged_model_is_named(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "bpe.model"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SerError, match=rf"{path}: {said}.*stage 2"):
        Tokenizer.load(path)


def test_write_bpe_is_whole_and_done_once(tmp_path: Path) -> None:
    record = Record(tmp_path / "bpe", 2, config(60).model_dump(), {"data": "abc"})
    with pytest.raises(SerError):
        write_bpe(record, [], config(60), WHERE)
    assert not record.folder.exists()
    write_bpe(record, TEXT, config(60), WHERE)
    assert record.is_finished()
    assert Tokenizer.load(record.folder / "bpe.model").vocab_size == 61

    write_bpe(record, [], config(60), WHERE)  # finished: the text is not looked at
    other = replace(record, config=config(50).model_dump())
    write_bpe(other, TEXT, config(50), WHERE)
    assert not record.is_finished()
    assert Tokenizer.load(record.folder / "bpe.model").vocab_size == 51
