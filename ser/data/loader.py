"""From lists of indices to padded batches, read by worker processes where asked."""

from collections.abc import Iterable, Sequence
from copy import copy

import torch
from torch.utils.data import DataLoader, Dataset

from ser.data.batch import Batch, collate
from ser.data.utterances import Utterance, normalised
from ser.kaldi.ark import ArkReader


class _Batches(Dataset[Batch]):
    """One item is one whole batch, so that a worker reads and pads it alone."""

    def __init__(
        self, utterances: Sequence[Utterance], feats: ArkReader, batches: Sequence[Sequence[int]]
    ) -> None:
        self.utterances, self.feats, self.batches = utterances, feats, batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> Batch:
        chosen = [self.utterances[i] for i in self.batches[index]]
        return collate(chosen, [normalised(self.feats, u.utt) for u in chosen])


def load_batches(
    utterances: Sequence[Utterance],
    feats: ArkReader,
    batches: Sequence[Sequence[int]],
    num_workers: int = 0,
) -> Iterable[Batch]:
    """Padded batches in the given order.

    Args:
        utterances: All utterances.
        feats: Their features.
        batches: Indices into ``utterances``, by batch.
        num_workers: Processes that read ahead; 0 reads in this one.
    """
    # A copy has no open archives: workers would share their place in a file that is open here.
    return DataLoader(
        _Batches(utterances, copy(feats), batches),
        batch_size=None,
        num_workers=num_workers,
        # Its own generator: the loader must not move the state that dropout draws from.
        generator=torch.Generator().manual_seed(0),
    )
