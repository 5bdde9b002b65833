"""What a trained system says of an utterance."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ser.base.files import digest_file, digest_json

NETWORK, VECTORS = "model.safetensors", "vectors.safetensors"  # what is predicted from


@dataclass(frozen=True)
class Prediction:
    """One utterance as a model sees it.

    Attributes:
        utt: Its id, or its audio file.
        posteriors: Probability of each class, in the order of ``labels.yaml``.
        words: Greedy CTC transcript, or None for a system without CTC head.
    """

    utt: str
    posteriors: tuple[float, ...]
    words: str | None

    def best_of(self, names: Sequence[str]) -> str:
        """The most probable of the classes."""
        return max(zip(self.posteriors, names, strict=True), key=lambda pair: pair[0])[1]


def table_digest(table: Path, source: Path, identity: str) -> str:
    """Digest of a table of predictions and what it was made from.

    Args:
        table: The file.
        source: Folder of the weights.
        identity: Of its record; the table shows transcripts, which not every system is trained on.
    """
    weights = (source / name for name in (NETWORK, VECTORS))
    there = next(path for path in weights if path.exists())
    return digest_json([identity, digest_file(there), digest_file(table)])
