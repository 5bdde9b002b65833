"""The utterances of a run, and their batches epoch by epoch."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from itertools import tee

import torch

from ser.config.schema import TrainingConfig
from ser.data.batch import Batch
from ser.data.loader import BatchRequest, load_requested
from ser.data.sampler import Step, epoch_batches, shard_steps
from ser.data.utterances import FeatureDir, FeatureReader, Utterance
from ser.feats.spec_augment import spec_augment_spans
from ser.train.engine.distributed import Distributed

COMPILED_LENGTH_STEP = 48  # frames: few lengths, for which a compiled network has its kernels


@dataclass(frozen=True)
class TrainingData:
    """What is trained on.

    Attributes:
        utterances: With their targets.
        feats: Their features.
        frame_shift_ms: Milliseconds of speech a frame stands for.
    """

    utterances: Sequence[Utterance]
    feats: FeatureReader
    frame_shift_ms: float

    @cached_property
    def num_frames(self) -> Sequence[int]:
        """T of each utterance."""
        return [u.num_frames for u in self.utterances]

    def batch(
        self, indices: Sequence[int], training: TrainingConfig, device: torch.device
    ) -> Batch:
        """Some utterances as a batch of training on its device, without masks."""
        (batch,) = load_requested(
            self.utterances,
            self.feats,
            [BatchRequest(indices)],
            device,
            length_step=length_step(training),
        )
        return batch

    def steps(
        self,
        training: TrainingConfig,
        seed: int,
        epoch: int,
        step_in_epoch: int,
        world: Distributed,
    ) -> Generator[tuple[Step, list[Batch]], None, None]:
        """All steps from a given one to the end of the last epoch, each with this process's parts.

        Order, members and masks of the batches follow from the seed and the epoch alone. The
        processes that read ahead live through all epochs.

        Args:
            training: Batches, epochs, masks.
            seed: The run's seed.
            epoch: Where it begins.
            step_in_epoch: Its first step.
            world: The processes that train together.
        """
        planned, ahead = tee(self._plan(training, seed, epoch, step_in_epoch, world))
        batches = load_requested(
            self.utterances,
            self.feats,
            (request for _, requests in ahead for request in requests),
            world.device,
            training.num_loader_workers,
            length_step(training),
        )
        with closing(batches):
            for step, requests in planned:
                yield step, [next(batches) for _ in requests]

    def _plan(
        self,
        training: TrainingConfig,
        seed: int,
        first_epoch: int,
        first_step: int,
        world: Distributed,
    ) -> Iterator[tuple[Step, list[BatchRequest]]]:
        for epoch in range(first_epoch, training.max_epochs):
            batches = epoch_batches(
                self.num_frames, training.batch_size_utts, training.length_jitter_prob, seed, epoch
            )
            steps = shard_steps(
                batches[first_step:],
                self.num_frames,
                training.max_frames_in_memory,
                world.rank,
                world.size,
            )
            first_step = 0
            spans = None
            if training.spec_augment:
                spans = spec_augment_spans(
                    self.num_frames, self.feats.num_bins, training.spec_augment, seed, epoch
                )
            for step in steps:
                yield (
                    step,
                    [BatchRequest(part, spans and spans.of(part)) for part in step.micro_batches],
                )


def length_step(training: TrainingConfig) -> int:
    """What the padded lengths are multiples of."""
    return COMPILED_LENGTH_STEP if training.compile else 1


def frame_shift_ms(features: FeatureDir) -> float:
    """Milliseconds of speech that a frame of some features stands for, on average."""
    seconds = sum(map(float, features.data["utt2dur"].values()))
    return 1000 * seconds / sum(features.num_frames.values())
