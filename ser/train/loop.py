"""The training loop, the same for pre-training and fine-tuning."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from ser.base.errors import SerError
from ser.base.log import logger
from ser.config.schema import OptimizerConfig, TrainingConfig
from ser.data.batch import Batch
from ser.data.loader import load_batches
from ser.data.sampler import epoch_batches, split_by_frames
from ser.data.utterances import Utterance
from ser.feats.spec_augment import Spans, spec_augment_spans
from ser.kaldi.ark import ArkReader
from ser.nn.losses import Loss
from ser.train.checkpoint import (
    Progress,
    load_checkpoint,
    load_weights,
    save_checkpoint,
    save_weights,
)
from ser.train.journal import Journal
from ser.train.optimizer import learning_rate, make_optimizer

REPORT_EVERY_STEPS = 50

ComputeLoss = Callable[[Batch], Loss]
Validate = Callable[[], Mapping[str, float]]


@dataclass(frozen=True)
class Selection:
    """Which weights a run keeps: those of the best validation value of a metric."""

    metric: str
    higher_is_better: bool

    def improves(self, value: float, best: float | None) -> bool:
        """Whether a value beats the best so far."""
        if best is None:
            return True
        return value > best if self.higher_is_better else value < best


@dataclass(frozen=True)
class TrainingData:
    """What is trained on."""

    utterances: Sequence[Utterance]
    feats: ArkReader


class Trainer:
    """One run in one folder: ``model.safetensors`` at the end, a checkpoint on the way.

    Args:
        model: The network, on its device, freshly initialised or transferred.
        compute_loss: Loss sums of a batch that is on the device.
        data: What is trained on.
        training: Batches, epochs, precision.
        optimizer: Adam and its schedule.
        folder: Where the run lives.
        seed: Orders the batches.
        validate: Metrics on a validation set, called after each epoch.
        selection: Keeps the best epoch's weights; None keeps the last.
    """

    def __init__(
        self,
        model: nn.Module,
        compute_loss: ComputeLoss,
        data: TrainingData,
        training: TrainingConfig,
        optimizer: OptimizerConfig,
        folder: Path,
        seed: int,
        validate: Validate | None = None,
        selection: Selection | None = None,
    ) -> None:
        self.model, self.compute_loss, self.data = model, compute_loss, data
        self.training, self.optimizer_config = training, optimizer
        self.folder, self.seed = folder, seed
        self.validate, self.selection = validate, selection
        self.optimizer = make_optimizer(model, optimizer)
        self.device = next(model.parameters()).device
        self.steps_per_epoch = math.ceil(len(data.utterances) / training.batch_size_utts)
        self.num_steps = self.steps_per_epoch * training.max_epochs

    def run(self) -> dict[str, float]:
        """Trains to the end, from the last checkpoint where there is one.

        Returns:
            Notes for the run's record: parameters, steps, seconds of training.

        Raises:
            SerError: The loss or the gradient is not finite; the batch's utterances are named.
        """
        checkpoint = self.folder / "checkpoint"
        progress = load_checkpoint(checkpoint, self.model, self.optimizer) or Progress()
        if progress.step:
            logger.info("%s: going on after step %s", self.folder, progress.step)
        saved = time.monotonic()
        with (
            Journal(self.folder, progress.log_bytes, progress.step) as journal,
            tqdm(
                total=self.num_steps,
                initial=progress.step,
                desc=str(self.folder),
                unit="step",
                disable=None,
            ) as bar,
        ):
            while progress.epoch < self.training.max_epochs:
                began = time.monotonic()
                for batch_parts in self._epoch(progress):
                    self._step(batch_parts, progress, journal)
                    bar.update()
                    now = time.monotonic()
                    progress.sums["seconds"] = progress.sums.get("seconds", 0.0) + now - began
                    began = now
                    if now - saved > 60 * self.training.checkpoint_minutes:
                        progress.log_bytes = journal.log_bytes
                        save_checkpoint(checkpoint, self.model, self.optimizer, progress)
                        saved = now
                self._end_epoch(progress, journal)
        if self.selection:
            self.model.load_state_dict(load_weights(self.folder / "best.safetensors"))
        save_weights(self.folder / "model.safetensors", self.model)
        return {
            "num_parameters": sum(p.numel() for p in self.model.parameters()),
            "num_steps": progress.step,
            "train_seconds": round(progress.seconds, 1),
        }

    def _epoch(self, progress: Progress) -> Iterator[list[Batch]]:
        """The remaining steps of an epoch, each as the parts of its batch."""
        lens = [u.num_frames for u in self.data.utterances]
        batches = epoch_batches(
            lens,
            self.training.batch_size_utts,
            self.training.length_jitter_prob,
            self.seed,
            progress.epoch,
        )[progress.step_in_epoch :]
        steps = []
        for batch in batches:
            parts = split_by_frames([lens[i] for i in batch], self.training.max_frames_in_memory)
            steps.append([[batch[position] for position in part] for part in parts])
        loader = load_batches(
            self.data.utterances,
            self.data.feats,
            [part for parts in steps for part in parts],
            self.training.num_loader_workers,
            self._spans(lens, progress.epoch),
        )
        for parts in steps:
            yield [next(loader) for _ in parts]

    def _spans(self, lens: Sequence[int], epoch: int) -> Spans | None:
        """The masks of SpecAugment for an epoch, where there are any."""
        config = self.training.spec_augment
        if config is None:
            return None
        return spec_augment_spans(lens, self.data.feats.num_bins, config, self.seed, epoch)

    def _step(self, parts: list[Batch], progress: Progress, journal: Journal) -> None:
        """One optimiser step on one batch, its parts accumulated."""
        rate = learning_rate(self.optimizer_config, progress.step, self.num_steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.model.train()
        self.optimizer.zero_grad()
        num_utts = sum(len(part.utts) for part in parts)
        sums: dict[str, float] = {"utts": num_utts}
        for part in parts:
            batch = part.to(self.device)
            with autocast(self.device, self.training.precision):
                loss = self.compute_loss(batch)
            torch.autograd.backward(loss.total / num_utts)
            for name, value in (
                ("loss", loss.total),
                ("emotion_loss", loss.emotion),
                ("ctc_loss", loss.ctc),
            ):
                if value is not None:
                    sums[name] = sums.get(name, 0.0) + value.item()
        norm = nn.utils.clip_grad_norm_(
            self.model.parameters(), self.optimizer_config.max_grad_norm
        ).item()
        if not (math.isfinite(sums["loss"]) and math.isfinite(norm)):
            utts = " ".join(utt for part in parts for utt in part.utts)
            raise SerError(
                f"{self.folder}: loss {sums['loss']:g}, gradient norm {norm:g} at step "
                f"{progress.step}; expected finite numbers; lower the learning rate or lengthen "
                f"the warm-up; the utterances: {utts}"
            )
        self.optimizer.step()
        sums |= {"gradient_norm": norm, "learning_rate": rate, "steps": 1}
        for name, number in sums.items():
            progress.sums[name] = progress.sums.get(name, 0.0) + number
        progress.step += 1
        progress.step_in_epoch += 1
        if progress.step % REPORT_EVERY_STEPS == 0:
            journal.report("step", progress.epoch + 1, progress.step, averages(sums))

    def _end_epoch(self, progress: Progress, journal: Journal) -> None:
        """Validates, keeps the best weights, reports, and turns the page."""
        values = averages(progress.sums)
        if self.validate:
            self.model.eval()
            with torch.inference_mode():
                values |= self.validate()
        if self.selection and self.selection.improves(values[self.selection.metric], progress.best):
            progress.best = values[self.selection.metric]
            save_weights(self.folder / "best.safetensors", self.model)
        values["seconds"] = progress.sums["seconds"]
        journal.report("epoch", progress.epoch + 1, progress.step, values)
        progress.seconds += progress.sums["seconds"]
        progress.epoch += 1
        progress.step_in_epoch = 0
        progress.sums = {}


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """bfloat16 for the operations that bear it, where the configuration asks for it."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def averages(sums: Mapping[str, float]) -> dict[str, float]:
    """Losses an utterance; learning rate and gradient norm a step."""
    by_step = ("gradient_norm", "learning_rate")
    return {
        name: value / sums["steps" if name in by_step else "utts"]
        for name, value in sums.items()
        if name not in ("utts", "steps", "seconds")
    }
