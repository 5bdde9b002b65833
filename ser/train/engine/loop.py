"""The training loop, the same for pre-training and fine-tuning, on one process or several."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from operator import gt
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from ser.base.errors import GO_ON, SerError, StoppedError, first_few
from ser.base.log import logger
from ser.base.writing import recover_folder
from ser.config.schema import OptimizerConfig, TrainingConfig
from ser.data.batch import Batch
from ser.data.sampler import Step
from ser.nn.weights import count_parameters, save_weights
from ser.train.engine.checkpoint import (
    Progress,
    is_due,
    load_checkpoint,
    save_checkpoint,
)
from ser.train.engine.distributed import Distributed
from ser.train.engine.memory import largest_micro_batches, out_of_memory_named
from ser.train.engine.metrics_logger import MetricsLogger, averages
from ser.train.engine.selection import EpochWeights, Selection, out_of_patience
from ser.train.engine.shutdown import StopRequest
from ser.train.engine.step import ComputeLoss, Stepper
from ser.train.training_data import TrainingData

REPORT_EVERY_STEPS = 50
READ_EVERY_STEPS = 10  # what a GPU's steps gave

Validate = Callable[[], Mapping[str, float]]
OnStep = Callable[[int, int], None]


class Trainer:
    """One run in one folder: ``model.safetensors`` at the end, a checkpoint on the way.

    Args:
        model: The network, on its device, freshly initialised or transferred.
        compute_loss: Loss sums of a batch, by the network that it is given.
        data: What is trained on.
        training: Batches, epochs, precision.
        optimizer: Adam and its schedule.
        folder: Where the run lives.
        seed: Orders the batches, and draws dropout and masks.
        world: The processes that train together.
        validate: Metrics on a validation set, called after each epoch.
        selection: Which epochs are good: for the weights that are kept, and for the patience.
        deadline: ``time.monotonic()`` at which the run writes a checkpoint and leaves.
        on_step: Told of the steps done and of all steps.
        identity: Of the run; a checkpoint of another one is refused.
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
        world: Distributed,
        *,
        validate: Validate | None = None,
        selection: Selection | None = None,
        deadline: float | None = None,
        on_step: OnStep | None = None,
        identity: str = "",
    ) -> None:
        self.model, self.data, self.training = model, data, training
        self.folder, self.seed, self.world = folder, seed, world
        self.validate, self.selection = validate, selection
        self.deadline, self.on_step, self.identity = deadline, on_step, identity
        self.steps_per_epoch = math.ceil(len(data.utterances) / training.batch_size_utts)
        self.num_steps = training.max_epochs * self.steps_per_epoch
        self.stepper = Stepper(
            model, compute_loss, training, optimizer, self.num_steps, seed, world
        )
        self.checkpoint = folder / "checkpoint"
        keeps = training.average_epochs > 1 or (selection and selection.keep_best)
        self.kept = EpochWeights(folder / "epochs", training.average_epochs) if keeps else None

    def run(self) -> dict[str, float]:
        """Trains to the end, from the last checkpoint where there is one.

        Returns:
            Notes for the run's record: parameters, steps, epochs, seconds of training.

        Raises:
            StoppedError: A signal or the deadline asked for it; the checkpoint is written.
            SerError: The loss or the gradient is not finite (the batch's utterances are named), a
                micro-batch does not fit into memory, the checkpoint is damaged, or the disk
                is full.
        """
        progress = self._resume()
        self.checkpointed = progress.epoch
        for largest in largest_micro_batches(self.data.num_frames, self.training, self.world.size):
            self.stepper.probe_memory(self.data.batch(largest, self.training, self.world.device))
        steps = self.data.steps(
            self.training, self.seed, progress.epoch, progress.step_in_epoch, self.world
        )
        first = self.world.is_first
        with (
            out_of_memory_named(
                self.training.max_frames_in_memory, "a batch of training or validation"
            ),
            closing(steps),
            StopRequest(self.deadline) as self.stop,
            MetricsLogger(self.folder, progress.log_bytes, progress.step, first) as metrics_logger,
            tqdm(
                total=self.num_steps,
                initial=progress.step,
                desc=str(self.folder),
                unit="step",
                # Not where somebody else shows it; None: not without a terminal.
                disable=None if first and not self.on_step else True,
            ) as bar,
        ):
            self.saved = time.monotonic()
            most, patience = self.training.max_epochs, self.training.patience_epochs
            while progress.epoch < most and not out_of_patience(progress.selection_score, patience):
                for _ in self._epoch(steps, progress, metrics_logger):
                    bar.update()
                    if self.on_step:
                        self.on_step(progress.step, self.num_steps)
                self._end_epoch(progress, metrics_logger)
        self.world.on_first(lambda: self._write_weights(progress))
        return {
            "num_parameters": count_parameters(self.model),
            "num_steps": progress.step,
            "num_epochs": progress.epoch,
            "max_frames_in_memory": self.training.max_frames_in_memory,
            "train_seconds": round(progress.seconds, 1),
        }

    def _resume(self) -> Progress:
        """The state of the last checkpoint, or of a new run."""
        self.world.on_first(lambda: recover_folder(self.checkpoint))
        progress = load_checkpoint(
            self.checkpoint, self.model, self.stepper.optimizer, self.identity
        )
        how = self.world.size, self.training.max_frames_in_memory
        if progress is None:
            return Progress(num_processes=how[0], max_frames_in_memory=how[1])
        most = self.training.max_epochs, self.steps_per_epoch, self.num_steps
        if any(map(gt, (progress.epoch, progress.step_in_epoch, progress.step), most)):
            raise SerError(
                f"{self.checkpoint / 'progress.json'}: after step {progress.step}, "
                f"{progress.step_in_epoch} of epoch {progress.epoch}; expected at most "
                f"{self.num_steps}, {self.steps_per_epoch} of epoch {self.training.max_epochs}; "
                f"remove {self.checkpoint} to train from the start"
            )
        logger.info("%s: going on after step %s", self.folder, progress.step)
        if changes := progress.go_on(*how):
            logger.warning(
                "%s: begun %s: the result will be another one than of a run that was never stopped",
                *(self.folder, changes),
            )
        return progress

    def _epoch(
        self,
        steps: Iterator[tuple[Step, list[Batch]]],
        progress: Progress,
        metrics_logger: MetricsLogger,
    ) -> Iterator[None]:
        """The remaining steps of an epoch, each with its checkpoint where one is due.

        Raises:
            StoppedError: A process was asked to stop; the checkpoint is written.
        """
        began = time.monotonic()
        unread: list[tuple[Step, dict[str, torch.Tensor]]] = []
        for step, micro_batches in islice(steps, self.steps_per_epoch - progress.step_in_epoch):
            reason = self.stop.reason
            values = self.stepper.step(
                progress.step, micro_batches, step.weight, len(step.batch), reason is not None
            )
            unread.append((step, values))
            progress.step += 1
            progress.step_in_epoch += 1
            if self._is_read(progress.step):
                stop = self._read(unread, progress, metrics_logger)
                unread.clear()
                now = time.monotonic()
                progress.sums["seconds"] = progress.sums.get("seconds", 0.0) + now - began
                began = now
                if stop:
                    self.world.on_first(lambda: self._save(progress, metrics_logger))
                    raise StoppedError(
                        f"{self.folder}: stopped after step {progress.step} of {self.num_steps} "
                        f"({reason or 'another process was asked to'}); its checkpoint is written; "
                        f"{GO_ON}"
                    )
                if self.world.is_first and is_due(self.training, progress.step, self.saved):
                    self._save(progress, metrics_logger)
            yield

    def _is_read(self, num_steps: int) -> bool:
        """Whether what the steps gave is read now; a GPU must be waited for, so not after each."""
        every = self.training.checkpoint_steps
        return (
            self.world.device.type == "cpu"
            or num_steps % READ_EVERY_STEPS == 0
            or num_steps % self.steps_per_epoch == 0
            or (every is not None and num_steps % every == 0)
        )

    def _read(
        self,
        unread: Sequence[tuple[Step, dict[str, torch.Tensor]]],
        progress: Progress,
        metrics_logger: MetricsLogger,
    ) -> bool:
        """Adds up what the last steps gave, and whether any process was asked to stop in them.

        Raises:
            SerError: A loss or gradient is not finite.
        """
        names = list(unread[0][1])
        rows = torch.stack([torch.stack(list(values.values())) for _, values in unread]).tolist()
        asked = False
        for number, ((step, _), row) in enumerate(
            zip(unread, rows, strict=True), start=progress.step - len(unread)
        ):
            values = dict(zip(names, row, strict=True))
            asked |= values.pop("stop") > 0
            self._check_finite(values, step, number + 1)
            values |= {"learning_rate": self.stepper.learning_rate(number), "utts": len(step.batch)}
            values |= {"steps": 1, "frames": sum(self.data.num_frames[i] for i in step.batch)}
            for name, value in values.items():
                progress.sums[name] = progress.sums.get(name, 0.0) + value
            if (number + 1) % REPORT_EVERY_STEPS == 0:
                metrics_logger.report("step", progress.epoch + 1, number + 1, averages(values))
        return asked

    def _check_finite(self, values: Mapping[str, float], step: Step, number: int) -> None:
        loss, norm = values["loss"], values["gradient_norm"]
        if not (math.isfinite(loss) and math.isfinite(norm)):
            utts = first_few(self.data.utterances[i].utt for i in step.batch)
            raise self.world.error(
                f"{self.folder}: loss {loss:g}, gradient norm {norm:g} at step {number}; "
                "expected finite numbers; lower the learning rate or lengthen the warm-up; the "
                f"utterances: {utts}"
            )

    def _save(self, progress: Progress, metrics_logger: MetricsLogger) -> None:
        progress.log_bytes = metrics_logger.sync()
        save_checkpoint(
            self.checkpoint, self.model, self.stepper.optimizer, progress, self.identity
        )
        self.saved, self.checkpointed = time.monotonic(), progress.epoch

    def _end_epoch(self, progress: Progress, metrics_logger: MetricsLogger) -> None:
        """Validates, keeps the weights where they are wanted, reports, begins the next epoch."""
        values = averages(progress.sums)
        if self.validate:
            self.model.eval()
            with torch.inference_mode():
                values |= self.validate()
        if self.selection:
            progress.selection_score.append(
                self.selection.selection_score(values[self.selection.metric])
            )
        progress.epoch += 1
        if self.kept and self.world.is_first:
            self.kept.add(self.model, self._ranking(progress), self.checkpointed)
        seconds = progress.sums["seconds"]
        progress.seconds += seconds
        hours = progress.sums["frames"] * self.data.frame_shift_ms / 3.6e6
        steps_left = self.num_steps - progress.step
        values |= {
            "seconds": seconds,
            "speech_hours_per_hour": hours / seconds * 3600,
            "minutes_left": progress.seconds / progress.step * steps_left / 60,
        }
        metrics_logger.report("epoch", progress.epoch, progress.step, values)
        progress.step_in_epoch = 0
        progress.sums = {}

    def _ranking(self, progress: Progress) -> Sequence[float]:
        """How good each epoch was for the weights that are kept; by default later is better."""
        if self.selection and self.selection.keep_best:
            return progress.selection_score
        return range(progress.epoch)

    def _write_weights(self, progress: Progress) -> None:
        weights = self.model.state_dict()
        if self.kept:
            weights = self.kept.average(self._ranking(progress))
        save_weights(self.folder / "model.safetensors", weights)
