"""A model's outputs where nothing is learnt from them: validation, prediction, transcription."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from ser.config.schema import TrainingConfig
from ser.data.batch import Batch
from ser.data.loader import load_batches
from ser.data.sampler import split_by_frames
from ser.data.utterances import FeatureReader, Utterance
from ser.train.engine.memory import out_of_memory_named
from ser.train.engine.step import autocast

Output = TypeVar("Output")


def forward_batches(
    forward: Callable[[Batch], Output],
    utterances: Sequence[Utterance],
    feats: FeatureReader,
    training: TrainingConfig,
    device: torch.device,
    share: slice = slice(None),
) -> Iterator[tuple[Batch, Output]]:
    """Batches of some utterances, the longest first, each with what the model gives for it.

    Args:
        forward: Calls the model, which is in evaluation mode.
        utterances: Which.
        feats: Their features.
        training: Gives size and precision of the batches.
        device: The model's.
        share: Of the batches: those of this process.

    Raises:
        SerError: A batch does not fit into memory, or an archive is missing or cut.
    """
    lens, most = [u.num_frames for u in utterances], training.max_frames_in_memory
    batches = split_by_frames(lens, most, training.batch_size_utts)[share]
    for batch in load_batches(utterances, feats, batches, device):
        what = f"a batch of {len(batch.utts)} utterances"
        with (
            torch.inference_mode(),
            autocast(device, training.precision),
            out_of_memory_named(most, what),
        ):
            output = forward(batch)
        yield batch, output
