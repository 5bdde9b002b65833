"""What a model says of an utterance."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


class Posteriors(Mapping[str, float]):
    """Probability of each class, in the model's order. It cannot be changed, and is hashable.

    ``dict(posteriors)`` is a copy as a dictionary, for ``json.dumps`` too.

    Args:
        labels: C classes.
        probs: Their probabilities, which sum to 1.
    """

    __slots__ = ("_labels", "_probs")

    def __init__(self, labels: tuple[str, ...], probs: tuple[float, ...]) -> None:
        self._labels, self._probs = labels, probs

    def __getitem__(self, label: str) -> float:
        if label not in self._labels:
            raise KeyError(label)
        return self._probs[self._labels.index(label)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._labels)

    def __len__(self) -> int:
        return len(self._labels)

    def __hash__(self) -> int:
        return hash(frozenset(self.items()))

    def __repr__(self) -> str:
        return repr(dict(self))


@dataclass(frozen=True)
class Result:
    """What a model says of an utterance, or of a part of a recording. Frozen and hashable.

    Attributes:
        path: The file; empty for an array.
        label: The most probable class; None where its probability is below the threshold, or where
            there is a flag and no ``any_audio``.
        posteriors: Probability of each class, in the model's order; they sum to 1.
        words: The transcript; None for a model without CTC head.
        start: Seconds into the file.
        end: Seconds into the file.
        flag: Why the audio cannot be speech: ``silence``, ``too short`` or ``clipped``
            (``ser.audio.quality``); None where it may be.
    """

    path: str
    label: str | None
    posteriors: Posteriors
    words: str | None
    start: float
    end: float
    flag: str | None = None

    @property
    def confidence(self) -> float:
        """The largest probability."""
        return max(self.posteriors.values())
