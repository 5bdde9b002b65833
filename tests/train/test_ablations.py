"""CTC targets of the ablations."""

import random
from collections import Counter

import pytest

from ser.data.utterances import Utterance
from ser.train.ctc_targets import choose_targets

VOCAB_SIZE = 30


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
