"""From lists of indices to padded batches on the device, read by worker processes where asked."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch.utils.data import DataLoader, Dataset

from ser.base.errors import SerError, reason_of
from ser.data.batch import Batch, read_batch
from ser.data.utterances import FeatureReader, Utterance
from ser.feats.spec_augment import Spans

CPU = torch.device("cpu")


class BatchRequest(NamedTuple):
    """A batch to read.

    Attributes:
        indices: Its utterances.
        spans: Their masks of SpecAugment, row by row; None masks nothing.
    """

    indices: Sequence[int]
    spans: Spans | None = None


class _Batches(Dataset[Batch | SerError]):
    """An index is the request of a whole batch, so that a worker reads and pads it alone."""

    def __init__(
        self, utterances: Sequence[Utterance], feats: FeatureReader, length_step: int
    ) -> None:
        self.utterances, self.feats, self.length_step = utterances, feats, length_step

    def __getitem__(self, request: BatchRequest) -> Batch | SerError:
        try:
            return read_batch(
                self.utterances, request.indices, self.feats, request.spans, self.length_step
            )
        except SerError as error:
            return error  # raised in a worker, it would come with the worker's traceback


def load_batches(
    utterances: Sequence[Utterance],
    feats: FeatureReader,
    batches: Iterable[Sequence[int]],
    device: torch.device = CPU,
) -> Iterator[Batch]:
    """Padded batches in the given order, read by this process.

    Raises:
        SerError: An archive is missing or cut.
    """
    return load_requested(utterances, feats, map(BatchRequest, batches), device)


def load_requested(
    utterances: Sequence[Utterance],
    feats: FeatureReader,
    requests: Iterable[BatchRequest],
    device: torch.device = CPU,
    num_workers: int = 0,
    length_step: int = 1,
) -> Generator[Batch, None, None]:
    """Padded batches in the given order.

    Args:
        utterances: All utterances.
        feats: Their features.
        requests: The batches; worker processes live as long as it does, be it many epochs.
        device: Where the batches go. A GPU copies each while it computes those before.
        num_workers: Processes that read ahead; 0 reads in this one.
        length_step: T is padded to a multiple of it.

    Raises:
        SerError: An archive is missing or cut, or a worker process died.
    """
    loader = DataLoader(
        _Batches(utterances, feats, length_step),
        sampler=requests,
        batch_size=None,
        num_workers=num_workers,
        pin_memory=device.type == "cuda",
        # Its own generator: the loader must not move the state that dropout draws from.
        generator=torch.Generator().manual_seed(0),
    )
    yield from _moved(_raised(loader), device)


def _raised(loader: DataLoader[Batch | SerError]) -> Iterator[Batch]:
    try:
        for batch in loader:
            if isinstance(batch, SerError):
                raise batch
            yield batch
    except RuntimeError as error:
        if not loader.num_workers:
            raise
        raise SerError(
            f"training.num_loader_workers {loader.num_workers}: a process that loads features was "
            f"lost ({reason_of(error)}); is the memory full, or /dev/shm? set fewer, or 0"
        ) from error


def _moved(batches: Iterator[Batch], device: torch.device) -> Iterator[Batch]:
    """Batches on their device, to a GPU by a stream of their own, beside what it computes."""
    if device.type != "cuda":
        for batch in batches:
            yield batch.to(device)
        return
    copying = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # PyTorch's
    for batch in batches:
        with torch.cuda.stream(copying):
            moved = batch.to(device)
        computing = torch.cuda.current_stream(device)
        computing.wait_stream(copying)
        for tensor in moved.tensors:
            tensor.record_stream(computing)  # its memory is not reused before
        yield moved
