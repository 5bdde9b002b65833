"""A padded batch, read from the archive straight into its place."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from ser.data.utterances import FeatureReader, Utterance
from ser.feats.spec_augment import Spans


@dataclass(frozen=True)
class Batch:
    """Utterances padded to the longest.

    Attributes:
        utts: B ids.
        feats: (B, T, F), zero beyond the lengths.
        feat_lens: (B,) frames.
        tokens: (B, U) CTC targets, zero beyond the lengths.
        token_lens: (B,).
        labels: (B,) classes, -1 where there are none.
        encoded: Whether ``feats`` are what a frozen encoder made of features.
    """

    utts: tuple[str, ...]
    feats: torch.Tensor
    feat_lens: torch.Tensor
    tokens: torch.Tensor
    token_lens: torch.Tensor
    labels: torch.Tensor
    encoded: bool = field(default=False, kw_only=True)

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """All tensors, in their order."""
        return (self.feats, self.feat_lens, self.tokens, self.token_lens, self.labels)

    def to(self, device: torch.device) -> "Batch":
        """The same batch on a device; from pinned memory the copy is not waited for."""
        moved = (t.to(device, non_blocking=True) for t in self.tensors)
        return Batch(self.utts, *moved, encoded=self.encoded)

    def pin_memory(self) -> "Batch":
        """The same batch in memory that a GPU copies from by itself; called by the loader."""
        return Batch(self.utts, *(t.pin_memory() for t in self.tensors), encoded=self.encoded)


def read_batch(
    utterances: Sequence[Utterance],
    indices: Sequence[int],
    feats: FeatureReader,
    spans: Spans | None = None,
    length_step: int = 1,
) -> Batch:
    """Reads some utterances, normalises, masks and pads them.

    Args:
        utterances: All utterances.
        indices: Which of them.
        feats: Their features.
        spans: Masks of the chosen utterances, row by row; None masks nothing.
        length_step: T is padded to a multiple of it.

    Raises:
        SerError: An archive is missing or cut, or holds another number of frames.
    """
    chosen = [utterances[i] for i in indices]
    feat_lens = [u.num_frames for u in chosen]
    token_lens = [len(u.tokens) for u in chosen]
    size = -(-max(feat_lens) // length_step) * length_step
    padded = np.empty((len(chosen), size, feats.num_bins), np.float32)
    tokens = np.zeros((len(chosen), max(token_lens)), np.int64)
    for row, utterance in enumerate(chosen):
        matrix = padded[row, : utterance.num_frames]
        feats.read_normalised(utterance.utt, matrix)
        if spans:
            centred = feats.normalisation == "utterance_mean"
            spans.mask(row, matrix, 0.0 if centred else matrix.mean(axis=0))
        padded[row, utterance.num_frames :] = 0
        tokens[row, : len(utterance.tokens)] = utterance.tokens
    return Batch(
        utts=tuple(u.utt for u in chosen),
        feats=torch.from_numpy(padded),
        feat_lens=torch.tensor(feat_lens),
        tokens=torch.from_numpy(tokens),
        token_lens=torch.tensor(token_lens),
        labels=torch.tensor([u.label for u in chosen]),
        encoded=feats.encoded,
    )
