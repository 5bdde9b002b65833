"""A padded batch."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn.utils.rnn import pad_sequence

from ser.data.utterances import Utterance


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
    """

    utts: tuple[str, ...]
    feats: torch.Tensor
    feat_lens: torch.Tensor
    tokens: torch.Tensor
    token_lens: torch.Tensor
    labels: torch.Tensor

    def to(self, device: torch.device) -> "Batch":
        """The same batch on a device."""
        return Batch(
            self.utts,
            self.feats.to(device),
            self.feat_lens.to(device),
            self.tokens.to(device),
            self.token_lens.to(device),
            self.labels.to(device),
        )


def collate(utterances: Sequence[Utterance], feats: Sequence[torch.Tensor]) -> Batch:
    """Pads utterances and their features (T, F) to one batch."""
    tokens = [torch.tensor(u.tokens, dtype=torch.long) for u in utterances]
    return Batch(
        utts=tuple(u.utt for u in utterances),
        feats=pad_sequence(list(feats), batch_first=True),
        feat_lens=torch.tensor([len(f) for f in feats]),
        tokens=pad_sequence(tokens, batch_first=True),
        token_lens=torch.tensor([len(t) for t in tokens]),
        labels=torch.tensor([u.label for u in utterances]),
    )
