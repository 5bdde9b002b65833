"""The mean of a speaker's turns, taken off each of them: what a voice keeps in every emotion.

Known as speaker normalisation (Sethu et al., 2007; Schuller et al., 2010). It needs to know who
speaks, and several turns of everyone, of whatever emotions; it needs no labels. Of n turns with
the mean m, what is taken off is the maximum a posteriori estimate (n m + r g) / (n + r). Its prior
is g, the training mean, with the weight of r turns: ``speaker_prior``, the relevance factor of
MAP adaptation (Reynolds et al., 2000).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ser.base.arrays import Doubles, Floats


@dataclass(frozen=True)
class SpeakerMean:
    """Of one speaker.

    Attributes:
        num_turns: n.
        mean: m, (W,).
    """

    num_turns: int
    mean: Doubles

    def estimate(self, prior: float, training_mean: Doubles) -> Doubles:
        """What is taken off the speaker's turns, (W,)."""
        total = self.num_turns * self.mean + prior * training_mean
        return np.asarray(total / (self.num_turns + prior))


def speaker_means(turns: Iterable[tuple[str, Floats]]) -> dict[str, SpeakerMean]:
    """The mean of each speaker, from the speaker and the vector (W,) of every turn."""
    sums: dict[str, Doubles] = {}
    counts = Counter[str]()
    for speaker, vector in turns:
        counts[speaker] += 1
        sums[speaker] = sums.get(speaker, np.float64(0)) + vector
    for speaker, total in sums.items():
        total /= counts[speaker]  # in place: there may be very many speakers
    return {speaker: SpeakerMean(counts[speaker], mean) for speaker, mean in sums.items()}


def training_mean(means: Mapping[str, SpeakerMean], prior: float) -> Doubles:
    """g, (W,): the mean of the training speakers, one of n turns with the weight n r / (n + r).

    With these weights g is also the mean of the shifted training turns.
    """
    weights = {spk: one.num_turns * prior / (one.num_turns + prior) for spk, one in means.items()}
    total = sum((weights[spk] * one.mean for spk, one in means.items()), np.zeros(1))
    return np.asarray(total / sum(weights.values()))


def shifts(
    parts: Sequence[Sequence[str]],
    spk_of: Mapping[str, str],
    vector_of: Callable[[str], Floats],
    prior: float,
    around: Doubles | None = None,
) -> dict[str, Floats]:
    """What is added to the vector of each turn, (W,): g minus what is taken off.

    Args:
        parts: Ids of turns; a speaker has another mean in each.
        spk_of: Their speakers.
        vector_of: Their vectors (W,).
        prior: r.
        around: g; None takes that of the first part, on which is trained.
    """
    found: dict[str, Floats] = {}
    for utts in parts:
        means = speaker_means((spk_of[utt], vector_of(utt)) for utt in utts)
        if around is None:
            around = training_mean(means, prior)
        by_speaker = {
            name: (around - one.estimate(prior, around)).astype(np.float32)
            for name, one in means.items()
        }
        found |= {utt: by_speaker[spk_of[utt]] for utt in utts}
    return found
