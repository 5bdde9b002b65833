"""The utterances of a run, and their batches epoch by epoch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from ser.config.schema import TrainingConfig
from ser.data.batch import Batch
from ser.data.loader import load_batches
from ser.data.sampler import epoch_batches
from ser.data.share import Step, share_steps
from ser.data.utterances import FeatureDir, FeatureReader, Utterance
from ser.feats.spec_augment import spec_augment_spans


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

    def batches(
        self,
        training: TrainingConfig,
        seed: int,
        epoch: int,
        first_step: int,
        rank: int,
        num_processes: int,
    ) -> Iterator[tuple[Step, list[Batch]]]:
        """The steps of an epoch from ``first_step`` on, each with one process's parts of its batch.

        Order, members and masks of the batches follow from the seed and the epoch alone.
        """
        batches = epoch_batches(
            self.num_frames, training.batch_size_utts, training.length_jitter_prob, seed, epoch
        )
        steps = share_steps(
            batches[first_step:],
            self.num_frames,
            training.max_frames_in_memory,
            rank,
            num_processes,
        )
        spans = None
        if training.spec_augment:
            spans = spec_augment_spans(
                self.num_frames, self.feats.num_bins, training.spec_augment, seed, epoch
            )
        loader = load_batches(
            self.utterances,
            self.feats,
            [part for step in steps for part in step.parts],
            training.num_loader_workers,
            spans,
        )
        for step in steps:
            yield step, [next(loader) for _ in step.parts]


def frame_shift_ms(features: FeatureDir) -> float:
    """Milliseconds of speech that a frame of some features stands for, on average."""
    seconds = sum(map(float, features.data["utt2dur"].values()))
    return 1000 * seconds / sum(features.num_frames.values())
