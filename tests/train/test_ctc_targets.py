"""Targets of CTC: utterances too short are counted, named, refused where many; the ablations'."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tiny import ctc_config, encoder_config

from ser.base.errors import SerError
from ser.config.schema import BpeConfig
from ser.data.utterances import FeatureDir, Utterance
from ser.kaldi.data_dir import DataDir
from ser.nn.encoder_base import Encoder
from ser.nn.transformer import TransformerEncoder
from ser.text.bpe import Tokenizer, train_bpe
from ser.train.ctc_targets import check_ctc_lengths, choose_targets, encode_transcripts

WHERE = Path("dump/fbank/ser")
VOCAB_SIZE = 30


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return TransformerEncoder(encoder_config())


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    config = BpeConfig(num_pieces=12, character_coverage=1.0)
    return Tokenizer(train_bpe(["NO MORE", "MORE OR NO", "OR MORE"], config, WHERE))


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


def test_a_few_unknown_letters_are_told(tokenizer: Tokenizer, log: Any) -> None:
    assert encode_transcripts(feature_dir("NO MORE", "", "MORE"), tokenizer)["u1"] == []
    assert not log.lines
    encode_transcripts(feature_dir("NO MORE NO MORE", "MÖRE"), tokenizer)
    (message,) = log.lines
    assert "text: 1 of " in message and "the first in u1; they all become one token" in message


def test_a_text_in_another_script_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(SerError, match=r"text: \d+ of \d+ tokens are unknown .*\(--systems\)"):
        encode_transcripts(feature_dir("打 远 一 看", "NO"), tokenizer)


def test_none_is_silent(encoder: Encoder, listing: Path, log: Any) -> None:
    check_ctc_lengths(corpus(0), encoder, ctc_config(), WHERE, listing)
    assert not log.lines
    assert not listing.exists()


def test_one_percent_is_counted_and_named(encoder: Encoder, listing: Path, log: Any) -> None:
    check_ctc_lengths(corpus(2), encoder, ctc_config(), WHERE, listing)
    (message,) = log.lines
    assert message.startswith("warning: dump/fbank/ser: 2 of 200 utterances are too short")
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


def utterances(num_utts: int = 100) -> list[Utterance]:
    rng = random.Random(1)
    return [
        Utterance(
            f"u{i:03d}", 100, tuple(rng.randrange(1, VOCAB_SIZE) for _ in range(1 + i // 4)), 0
        )
        for i in range(num_utts)
    ]


def test_transcripts_stay() -> None:
    assert choose_targets(utterances(), "transcripts", VOCAB_SIZE, [], 1) == utterances()


def test_shuffled_is_somebody_elses_of_like_length() -> None:
    before = utterances()
    after = choose_targets(before, "shuffled", VOCAB_SIZE, [], 1)
    assert Counter(u.tokens for u in after) == Counter(u.tokens for u in before)
    assert all(a.tokens != b.tokens for a, b in zip(after, before, strict=True))
    pairs = zip(after, before, strict=True)
    assert all(abs(len(a.tokens) - len(b.tokens)) <= 5 for a, b in pairs)
    assert [(u.utt, u.num_frames, u.label) for u in after] == [
        (u.utt, u.num_frames, u.label) for u in before
    ]


def test_equal_words_are_avoided_where_they_can_be() -> None:
    """Half of them say the same; a circle of 16 with 8 alike can keep them apart."""
    before = [Utterance(f"u{i}", 9, (1, 2) if i % 2 else (3, i + 4), 0) for i in range(16)]
    after = choose_targets(before, "shuffled", VOCAB_SIZE, [], 1)
    same = sum(a.tokens == b.tokens for a, b in zip(after, before, strict=True))
    assert same <= 3  # of 4 that chance would leave


def test_random_tokens_have_the_number_and_never_the_blank() -> None:
    before = utterances()
    after = choose_targets(before, "random", VOCAB_SIZE, [], 1)
    assert [len(u.tokens) for u in after] == [len(u.tokens) for u in before]
    drawn = Counter(token for u in after for token in u.tokens)
    assert set(drawn) == set(range(1, VOCAB_SIZE))
    assert after != before


@pytest.mark.parametrize("kind", ["shuffled", "random"])
def test_targets_depend_on_the_seed_alone(kind: str) -> None:
    first = choose_targets(utterances(), kind, VOCAB_SIZE, [], 1)
    assert first == choose_targets(utterances(), kind, VOCAB_SIZE, [], 1)
    assert first != choose_targets(utterances(), kind, VOCAB_SIZE, [], 2)
    backwards = choose_targets(utterances()[::-1], kind, VOCAB_SIZE, [], 1)
    assert sorted(backwards, key=lambda u: u.utt) == first


@pytest.mark.parametrize("kind", ["shuffled", "random"])
def test_copies_have_the_targets_of_their_original(kind: str) -> None:
    originals = utterances(20)
    copies = [Utterance(f"sp0.9-{u.utt}", 111, u.tokens, 0) for u in originals]
    after = choose_targets([*originals, *copies], kind, VOCAB_SIZE, [0.9], 1)
    assert [u.tokens for u in after[:20]] == [u.tokens for u in after[20:]]
    assert [u.num_frames for u in after[20:]] == [111] * 20
