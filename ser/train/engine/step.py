"""One optimiser step: micro-batches accumulated, over one process or several."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from ser.base.log import logger
from ser.config.schema import OptimizerConfig, TrainingConfig
from ser.data.batch import Batch
from ser.nn.cpu.accelerate import accelerate
from ser.nn.emotion import EmotionOutput
from ser.nn.encoder_base import EncoderBlock
from ser.nn.losses import Loss
from ser.train.engine.distributed import Distributed
from ser.train.engine.memory import out_of_memory_named
from ser.train.engine.optimizer import learning_rate, make_optimizer, set_learning_rate

ComputeLoss = Callable[[nn.Module, Batch], Loss]


class Stepper:
    """A network and its optimiser.

    Attributes:
        optimizer: Adam over what is not frozen.
    """

    def __init__(
        self,
        model: nn.Module,
        compute_loss: ComputeLoss,
        training: TrainingConfig,
        config: OptimizerConfig,
        num_steps: int,
        seed: int,
        world: Distributed,
    ) -> None:
        """``compute_loss`` gets the network to call and a batch on its device."""
        if world.device.type == "cuda" and training.precision == "bfloat16":
            # The layout in which a GPU's convolutions of 16 bits are fast.
            model.to(memory_format=torch.channels_last)
        accelerate(model)
        if config.warmup_steps > num_steps:
            logger.warning(
                "warmup_steps %s of %s steps in all: learning_rate %s is never reached",
                *(config.warmup_steps, num_steps, config.learning_rate),
            )
        self.optimizer = make_optimizer(model, config)
        self._model, self._compute_loss = model, compute_loss
        self._training, self._config = training, config
        self._num_steps, self._seed, self._world = num_steps, seed, world
        if training.compile:
            for module in model.modules():
                if isinstance(module, EncoderBlock):
                    module.compile(dynamic=True)
        self._network = model
        if world.size > 1:
            self._network = DistributedDataParallel(model, gradient_as_bucket_view=True)

    def probe_memory(self, micro_batch: Batch) -> None:
        """Goes forward and back over a batch on the device and forgets the gradient.

        Raises:
            SerError: It does not fit into memory.
        """
        size, num_frames = micro_batch.feats.shape[:2]
        what = f"a micro-batch of {size} utterances of up to {num_frames} frames"
        with out_of_memory_named(self._training.max_frames_in_memory, what):
            self._set_training()
            torch.autograd.backward(self._loss(micro_batch).total)
        self.optimizer.zero_grad()

    def step(
        self, number: int, micro_batches: Sequence[Batch], weight: int, num_utts: int, stop: bool
    ) -> dict[str, torch.Tensor]:
        """One step of the optimiser; where loss or gradient are not finite, no weight changes.

        Nothing here waits for a GPU.

        Args:
            number: Steps done so far.
            micro_batches: This process's micro-batches, on its device.
            weight: 0 where the micro-batches only keep step with the other processes, else 1.
            num_utts: Utterances of the whole batch, over all processes.
            stop: Whether this process was asked to stop.

        Returns:
            Numbers on the device: sums of the losses over the whole batch, how many processes were
            asked to stop, and the gradient norm.
        """
        set_learning_rate(self.optimizer, self.learning_rate(number))
        # Each step seeds its own random numbers, so that a checkpoint need not hold any state.
        torch.manual_seed(step_seed(self._seed, number, self._world.rank))
        self._set_training()
        self.optimizer.zero_grad()
        sums: dict[str, torch.Tensor] = {}
        with out_of_memory_named(
            self._training.max_frames_in_memory, f"the batch of step {number + 1}"
        ):
            for position, micro_batch in enumerate(micro_batches, start=1):
                with self._accumulate(last=position == len(micro_batches)):
                    loss = self._loss(micro_batch)
                    # DistributedDataParallel averages over the processes: what comes out is the
                    # gradient of the mean over the whole batch.
                    share = weight * self._world.size / num_utts
                    torch.autograd.backward(loss.total * share)
                for name, value in named_losses(loss).items():
                    sums[name] = sums.get(name, 0.0) + weight * value.detach().double()
        norm = nn.utils.clip_grad_norm_(self._model.parameters(), self._config.max_grad_norm)
        sums["stop"] = sums["loss"].new_full((), float(stop))
        summed = self._world.sum(torch.stack([*sums.values()]))
        values = dict(zip(sums, summed, strict=True)) | {"gradient_norm": norm.double()}
        finite = values["loss"].isfinite() & norm.isfinite()
        # Where it is not 0, the fused Adam leaves weights and moments as they were.
        self.optimizer.found_inf = (~finite).float()  # type: ignore[attr-defined]  # GradScaler's
        self.optimizer.step()
        return values

    def learning_rate(self, number: int) -> float:
        """The rate of a step, counted from 0."""
        return learning_rate(self._config, number, self._num_steps)

    def _set_training(self) -> None:
        """Training mode; an encoder that is frozen as a whole has no dropout."""
        self._model.train()
        encoder = getattr(self._model, "encoder", None)
        if encoder is not None and not any(p.requires_grad for p in encoder.parameters()):
            encoder.eval()

    def _loss(self, micro_batch: Batch) -> Loss:
        with autocast(self._world.device, self._training.precision):
            return self._compute_loss(self._network, micro_batch)

    def _accumulate(self, last: bool) -> AbstractContextManager[None]:
        """Gradients are exchanged with the last micro-batch alone."""
        if last or not isinstance(self._network, DistributedDataParallel):
            return nullcontext()
        context: AbstractContextManager[None] = self._network.no_sync()
        return context


def named_losses(loss: Loss) -> Mapping[str, torch.Tensor]:
    """The losses that there are, by the names of the metrics log."""
    named = {"loss": loss.total, "emotion_loss": loss.emotion, "ctc_loss": loss.ctc}
    return {name: value for name, value in named.items() if value is not None}


def step_seed(seed: int, step: int, rank: int) -> int:
    """A seed of 63 bits for one process's random numbers in one step."""
    (state,) = np.random.SeedSequence([seed, step, rank]).generate_state(1, np.uint64)
    return int(state) >> 1


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """bfloat16 for the operations that bear it, where the configuration asks for it."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def run_recogniser(network: nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and lengths for a batch of features, or of what a frozen encoder made of them."""
    output: tuple[torch.Tensor, torch.Tensor] = network(
        batch.feats, batch.feat_lens, encoded=batch.encoded
    )
    return output


def run_emotion_model(network: nn.Module, batch: Batch) -> EmotionOutput:
    """The output for a batch of features, or of what a frozen encoder made of them."""
    given = {"encoded": True} if batch.encoded else {}
    output: EmotionOutput = network(batch.feats, batch.feat_lens, **given)
    return output
