"""The mean that is taken off a speaker's turns."""

import numpy as np
import pytest

from ser.base.arrays import Floats
from ser.feats.speaker_means import SpeakerMean, shifts, speaker_means, training_mean

PRIOR = 3.0
# Of very different numbers of turns, so that no mean is another by chance.
SPEAKER_OF = {f"{spk}{i}": spk for spk, n in {"a": 1, "b": 4, "c": 30}.items() for i in range(n)}


@pytest.fixture
def vectors() -> dict[str, Floats]:
    rng = np.random.default_rng(0)
    voice = {spk: rng.normal(size=5) * 4 for spk in "abc"}
    return {
        utt: (voice[spk] + rng.normal(size=5)).astype(np.float32) for utt, spk in SPEAKER_OF.items()
    }


def test_the_estimate_by_hand() -> None:
    """Of two turns with the mean 5 and a prior of three turns at 0: 2 of 5 parts of 5."""
    one = SpeakerMean(2, np.array([5.0]))
    assert one.estimate(3.0, np.array([0.0])) == pytest.approx(2.0)
    assert one.estimate(3.0, np.array([10.0])) == pytest.approx(8.0)
    assert SpeakerMean(3000, np.array([5.0])).estimate(3.0, np.array([0.0])) == pytest.approx(
        5, abs=0.01
    )


def test_means_are_of_each_speaker(vectors: dict[str, Floats]) -> None:
    found = speaker_means((SPEAKER_OF[utt], vector) for utt, vector in vectors.items())
    assert {name: one.num_turns for name, one in found.items()} == {"a": 1, "b": 4, "c": 30}
    own = [vectors[f"b{i}"] for i in range(4)]
    assert found["b"].mean == pytest.approx(np.mean(own, axis=0), abs=1e-6)


def test_the_training_turns_lie_about_the_mean_that_they_are_shifted_to(
    vectors: dict[str, Floats],
) -> None:
    """Exactly, however many turns each speaker has: prediction shifts to what training stored."""
    added = shifts([list(vectors)], SPEAKER_OF, vectors.__getitem__, PRIOR)
    shifted = {utt: vectors[utt] + shift for utt, shift in added.items()}
    wanted = training_mean(
        speaker_means((SPEAKER_OF[utt], vector) for utt, vector in vectors.items()), PRIOR
    )
    assert np.mean(list(shifted.values()), axis=0) == pytest.approx(wanted, abs=1e-5)
    of_c = [shifted[f"c{i}"] for i in range(30)]
    assert (
        np.abs(np.mean(of_c, axis=0) - wanted).max()
        < 0.1 * np.abs(np.mean([vectors[f"c{i}"] for i in range(30)], axis=0) - wanted).max()
    )


def test_each_part_has_means_of_its_own(vectors: dict[str, Floats]) -> None:
    """What is tested tells training nothing, and another test part nothing either."""
    train, test = [f"c{i}" for i in range(10)], [f"c{i}" for i in range(10, 30)]
    both = shifts([train, test], SPEAKER_OF, vectors.__getitem__, PRIOR)
    alone = shifts([train], SPEAKER_OF, vectors.__getitem__, PRIOR)
    assert all(np.array_equal(both[utt], alone[utt]) for utt in train)
    around = training_mean(speaker_means(("c", vectors[utt]) for utt in train), PRIOR)
    apart = shifts([test], SPEAKER_OF, vectors.__getitem__, PRIOR, around)
    assert all(np.array_equal(both[utt], apart[utt]) for utt in test)
    assert not np.allclose(both["c0"], both["c10"])


def test_a_voice_that_is_added_to_all_turns_is_taken_off(vectors: dict[str, Floats]) -> None:
    """With a prior of almost nothing, as far as float32 goes."""
    utts = list(vectors)
    other = {utt: vectors[utt] + 100 * (SPEAKER_OF[utt] == "b") for utt in utts}
    around = np.zeros(5)
    first = shifts([utts], SPEAKER_OF, vectors.__getitem__, 1e-9, around)
    second = shifts([utts], SPEAKER_OF, other.__getitem__, 1e-9, around)
    for utt in utts:
        assert vectors[utt] + first[utt] == pytest.approx(other[utt] + second[utt], abs=1e-4)
