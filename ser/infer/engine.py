"""What runs a network: features of some utterances in, what it says of them out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from ser.base.arrays import Floats, Integers
from ser.base.errors import SerError
from ser.feats.speaker_means import SpeakerMean
from ser.text.ctc import greedy_search


@dataclass(frozen=True)
class Output:
    """What a network says of one utterance.

    Attributes:
        posteriors: (C,), a probability for each class.
        ctc: (S, V), a probability for each token and encoder frame; None without a CTC head.
    """

    posteriors: Floats
    ctc: Floats | None

    @property
    def tokens(self) -> list[int]:
        """Of the greedy transcript."""
        return [] if self.ctc is None else greedy_search(self.ctc)


class Engine(Protocol):
    """A network on a device. Safe to call from several threads."""

    def __call__(self, inputs: Sequence[Floats]) -> list[Output]:
        """The outputs for a batch of utterances.

        Args:
            inputs: Of each utterance log-mel features (T, F), normalised as the model's ``fbank``
                says; or, where the engine computes them itself, samples (N,) in 16-bit scale.
        """
        ...


@runtime_checkable
class SpeakerEngine(Engine, Protocol):
    """An engine that can take the mean of a speaker's turns off them."""

    def vectors(self, inputs: Sequence[Floats]) -> list[Floats]:
        """What is pooled of a batch, (B, W), by each encoder of an ensemble.

        Args:
            inputs: As of a call.
        """
        ...

    def for_speaker(self, means: Sequence[SpeakerMean]) -> "SpeakerEngine":
        """The engine for one speaker, from the means of ``vectors`` by each encoder."""
        ...


def pad(inputs: Sequence[Floats], least: int) -> tuple[Floats, Integers]:
    """One array for all, zeros after each, and their lengths (B,).

    Args:
        inputs: (T_i, ...) each.
        least: Fewest rows of the array.
    """
    lens = np.array([len(x) for x in inputs], np.int64)
    padded = np.zeros((len(inputs), max(least, lens.max()), *inputs[0].shape[1:]), np.float32)
    for row, x in zip(padded, inputs, strict=True):
        row[: len(x)] = x
    return padded, lens


def parse_device(name: str) -> tuple[str, int]:
    """``cpu``, ``cuda`` or ``cuda:1`` as its kind and number.

    Raises:
        SerError: It is another.
    """
    found = re.fullmatch(r"(cpu|cuda)(?::(\d+))?", name)
    if found is None or (found[1] == "cpu" and found[2]):
        raise SerError(f"--device {name}: no device; expected cpu, cuda, or cuda:1 and so on")
    return found[1], int(found[2] or 0)
