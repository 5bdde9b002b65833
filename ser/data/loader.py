"""From lists of indices to padded batches, read by worker processes where asked."""

from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import DataLoader, Dataset

from ser.base.errors import SerError
from ser.data.batch import Batch, read_batch
from ser.data.utterances import FeatureReader, Utterance
from ser.feats.spec_augment import Spans


class _Batches(Dataset[Batch | SerError]):
    """One item is one whole batch, so that a worker reads and pads it alone."""

    def __init__(
        self,
        utterances: Sequence[Utterance],
        feats: FeatureReader,
        batches: Sequence[Sequence[int]],
        spans: Spans | None,
    ) -> None:
        self.utterances, self.feats, self.batches, self.spans = utterances, feats, batches, spans

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> Batch | SerError:
        try:
            return read_batch(self.utterances, self.batches[index], self.feats, self.spans)
        except SerError as error:
            return error  # raised in a worker, it would come with the worker's traceback


def load_batches(
    utterances: Sequence[Utterance],
    feats: FeatureReader,
    batches: Sequence[Sequence[int]],
    num_workers: int = 0,
    spans: Spans | None = None,
) -> Iterator[Batch]:
    """Padded batches in the given order.

    Args:
        utterances: All utterances.
        feats: Their features.
        batches: Indices into ``utterances``, by batch.
        num_workers: Processes that read ahead; 0 reads in this one.
        spans: Masks of SpecAugment, for all utterances; None masks nothing.

    Raises:
        SerError: An archive is missing or cut, or a worker process died.
    """
    loader = DataLoader(
        _Batches(utterances, feats, batches, spans),
        batch_size=None,
        num_workers=num_workers,
        # Its own generator: the loader must not move the state that dropout draws from.
        generator=torch.Generator().manual_seed(0),
    )
    try:
        for batch in loader:
            if isinstance(batch, SerError):
                raise batch
            yield batch
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise SerError(
            f"training.num_loader_workers {num_workers}: a process that loads features was lost "
            f"({reason}); expected it to live (is the memory full, or /dev/shm?); set fewer, or 0"
        ) from error
