"""What a trained system says of utterances, from whatever source their features come."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ser.base.errors import SerError
from ser.base.files import digest_file, digest_json
from ser.base.record import rerun_hint
from ser.nn.emotion import EmotionOutput
from ser.nn.recogniser import transcribe
from ser.text.bpe import Tokenizer

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


def predictions_of(
    output: EmotionOutput, utts: Sequence[str], tokenizer: Tokenizer | None
) -> Iterator[Prediction]:
    """The predictions of a batch, from the model's output for it.

    Args:
        output: Logits (B, C), and (B, S, V) of a system with a CTC head.
        utts: B ids.
        tokenizer: Gives the words; None for a system without CTC head.

    Raises:
        SerError: The posteriors of an utterance are not finite.
    """
    posteriors = output.emotion_logits.float().softmax(dim=1).tolist()
    words: list[str] | list[None] = [None] * len(utts)
    if tokenizer and output.ctc_logits is not None:
        tokens = transcribe(output.ctc_logits, output.frame_lens)
        words = [tokenizer.decode(t) for t in tokens]
    for utt, row, text in zip(utts, posteriors, words, strict=True):
        if not all(map(math.isfinite, row)):
            raise SerError(
                f"{utt}: the model's posteriors are not finite; expected features and weights that "
                f"are; look at the utterance's audio and the run's train.log; run {rerun_hint(4)}"
            )
        yield Prediction(utt, tuple(row), text)


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
