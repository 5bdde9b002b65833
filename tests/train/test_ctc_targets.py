"""Utterances too short for CTC are counted, named, and refused where they are many."""

import logging
from pathlib import Path

import pytest
from tiny import ctc_config, encoder_config

from ser.base.errors import SerError
from ser.config.schema import BpeConfig
from ser.data.utterances import FeatureDir, Utterance
from ser.kaldi.data_dir import DataDir
from ser.nn.encoder_base import Encoder
from ser.nn.transformer import TransformerEncoder
from ser.text.bpe import Tokenizer, train_bpe
from ser.train.ctc_targets import check_ctc_lengths, encode_transcripts

WHERE = Path("dump/fbank/ser")


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return TransformerEncoder(encoder_config())


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    config = BpeConfig(num_pieces=12, character_coverage=1.0)
    return Tokenizer(train_bpe(["NO MORE", "MORE OR NO", "OR MORE"], config, WHERE))


@pytest.fixture(autouse=True)
def heard(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log reaches pytest also where a test before this one took it to the console."""
    monkeypatch.setattr(logging.getLogger("ser"), "propagate", True)
    caplog.set_level(logging.INFO, logger="ser")


@pytest.fixture
def listing(tmp_path: Path) -> Path:
    return tmp_path / "too_short_for_ctc.txt"


def corpus(num_short: int) -> list[Utterance]:
    """200 utterances; 60 frames are 9 encoder frames, and 5 equal tokens need 9."""
    fits, short = [1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 2]
    return [Utterance(f"u{i}", 60, short if i < num_short else fits) for i in range(200)]


def feature_dir(*texts: str) -> FeatureDir:
    tables = {"text": {f"u{i}": text for i, text in enumerate(texts)}}
    return FeatureDir(DataDir(WHERE, tables), {}, {})


def test_a_few_unknown_letters_are_told(
    tokenizer: Tokenizer, caplog: pytest.LogCaptureFixture
) -> None:
    assert encode_transcripts(feature_dir("NO MORE", "", "MORE"), tokenizer)["u1"] == []
    assert not caplog.messages
    encode_transcripts(feature_dir("NO MORE NO MORE", "MÖRE"), tokenizer)
    (message,) = caplog.messages
    assert "text: 1 of " in message and "the first in u1; they all become one token" in message


def test_a_text_in_another_script_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(SerError, match=r"text: \d+ of \d+ tokens are unknown .*\(--systems\)"):
        encode_transcripts(feature_dir("打 远 一 看", "NO"), tokenizer)


def test_none_is_silent(encoder: Encoder, listing: Path, caplog: pytest.LogCaptureFixture) -> None:
    check_ctc_lengths(corpus(0), encoder, ctc_config(), WHERE, listing)
    assert not caplog.messages
    assert not listing.exists()


def test_one_percent_is_counted_and_named(
    encoder: Encoder, listing: Path, caplog: pytest.LogCaptureFixture
) -> None:
    check_ctc_lengths(corpus(2), encoder, ctc_config(), WHERE, listing)
    (message,) = caplog.messages
    assert message.startswith("dump/fbank/ser: 2 of 200 utterances are too short")
    assert message.endswith(f"(listed in {listing})")
    assert listing.read_text() == "u0\nu1\n"


def test_more_is_refused(encoder: Encoder, listing: Path) -> None:
    with pytest.raises(SerError, match=r"3 of 200 utterances are too short.*u0 first.*most 0\.01"):
        check_ctc_lengths(corpus(3), encoder, ctc_config(), WHERE, listing)


def test_the_share_is_the_configuration_s(encoder: Encoder, listing: Path) -> None:
    check_ctc_lengths(corpus(3), encoder, ctc_config(max_too_short_prob=0.02), WHERE, listing)
    with pytest.raises(SerError, match="1 of 200"):
        check_ctc_lengths(corpus(1), encoder, ctc_config(max_too_short_prob=0.0), WHERE, listing)


@pytest.mark.parametrize(("num_frames", "tokens"), [(3, [7]), (10, []), (17, [7, 8])])
def test_padded_utterances_have_the_frames_of_the_padding(
    encoder: Encoder, listing: Path, num_frames: int, tokens: list[int]
) -> None:
    """Fewer than 11 frames are padded to one encoder frame; 17 give two."""
    check_ctc_lengths([Utterance("u", num_frames, tokens)], encoder, ctc_config(), WHERE, listing)
    with pytest.raises(SerError, match="1 of 1"):
        longer = Utterance("u", num_frames, [*tokens, 5, 5, 5])
        check_ctc_lengths([longer], encoder, ctc_config(), WHERE, listing)
