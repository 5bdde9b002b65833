"""The search for a transcript with a language model."""

import math
from itertools import groupby, product

import numpy as np
import pytest

from ser.base.arrays import Floats
from ser.text.ctc import BeamSearch, greedy_search
from ser.text.ngram import NgramModel

VOCAB_SIZE = 4
NGRAM = NgramModel([[1, 2], [2, 2, 3], [3, 1, 1]], VOCAB_SIZE, order=3)


def random_log_probs(num_frames: int, seed: int, sharpness: float = 1.5) -> Floats:
    logits = sharpness * np.random.default_rng(seed).normal(size=(num_frames, VOCAB_SIZE))
    return np.float32(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))


def by_enumeration(log_probs: Floats, search: BeamSearch) -> list[int]:
    """All paths of CTC, summed for each transcript; then the language model on each."""
    paths: dict[tuple[int, ...], float] = {}
    for path in product(range(VOCAB_SIZE), repeat=len(log_probs)):
        tokens = tuple(token for token, _ in groupby(path) if token)
        prob = math.exp(sum(float(frame[t]) for frame, t in zip(log_probs, path, strict=True)))
        paths[tokens] = paths.get(tokens, 0.0) + prob

    def score(tokens: tuple[int, ...]) -> float:
        said = [*tokens, search.ngram.end_id]
        language = sum(
            math.log(search.ngram.next_probs(said[:i])[said[i]]) for i in range(len(said))
        )
        return math.log(paths[tokens]) + search.weight * language + search.bonus * len(tokens)

    return list(max(paths, key=score))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(("weight", "bonus"), [(0.0, 0.0), (0.5, 0.4), (2.0, 1.0)])
def test_a_wide_beam_equals_enumeration(seed: int, weight: float, bonus: float) -> None:
    log_probs = random_log_probs(6, seed)
    search = BeamSearch(NGRAM, weight, bonus, beam=1000)
    assert search(log_probs) == by_enumeration(log_probs, search)


def test_it_sums_paths_where_the_greedy_transcript_takes_one() -> None:
    log_probs = np.log(np.float32([[0.6, 0.4, 0, 0], [0.6, 0.4, 0, 0]]) + 1e-9)
    assert greedy_search(log_probs) == []  # 0.36; one 1 has 0.64 in all
    assert BeamSearch(NGRAM, 0.0, 0.0, beam=4)(log_probs) == [1]


def test_the_language_model_decides_where_ctc_does_not() -> None:
    ngram = NgramModel([[1, 2]] * 9 + [[1, 3]], VOCAB_SIZE, order=2)
    log_probs = np.log(np.float32([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0.49, 0.51]]) + 1e-9)
    assert greedy_search(log_probs) == [1, 3]
    assert BeamSearch(ngram, 0.0, 0.0, beam=4)(log_probs) == [1, 3]
    assert BeamSearch(ngram, 1.0, 0.0, beam=4)(log_probs) == [1, 2]


def test_the_bonus_lengthens_and_the_weight_shortens() -> None:
    log_probs = random_log_probs(20, seed=3, sharpness=0.5)
    lengths = [len(BeamSearch(NGRAM, 1.0, bonus, beam=20)(log_probs)) for bonus in (-3, 0, 3)]
    assert lengths[0] < lengths[1] < lengths[2]


def test_no_frames() -> None:
    assert BeamSearch(NGRAM, 1.0, 0.0, beam=4)(np.zeros((0, VOCAB_SIZE), np.float32)) == []
