"""What a configuration asks of a training run: network, batches, hours of speech."""

import copy
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from ser.base.errors import SerError
from ser.config.features import FeaturesConfig, load_features, num_frames
from ser.config.labels import LabelsConfig
from ser.config.load import load_config
from ser.config.schema import (
    BpeConfig,
    PretrainConfig,
    SystemConfig,
    TrainingConfig,
    can_be_encoded,
)
from ser.config.yaml_file import read_yaml
from ser.nn.cnn_blstm_sa import CnnBlstmSa
from ser.nn.cost import FLOAT_BYTES, Cost, cost
from ser.nn.emotion import EmotionModel
from ser.nn.recogniser import Recogniser
from ser.nn.systems import build_recogniser, build_system
from ser.nn.weights import count_parameters
from ser.train.engine.optimizer import freeze
from ser.train.frozen import with_head_alone

# Hours of speech and mean seconds of an utterance.
LIBRISPEECH = 960.0, 12.3  # 281,241 utterances
IEMOCAP = 5.6, 4.55  # four fifths of the 5531 of four classes


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One training run, as its configuration has it.

    Attributes:
        name: For people.
        model: The network, on the meta device, frozen as in training.
        training: Batches and epochs.
        encoded: Whether a frozen encoder's outputs are computed once for all epochs.
        fbank: The features.
        hours: Hours of speech an epoch, speed copies not counted.
        mean_seconds: Mean length of an utterance.
    """

    name: str
    model: Recogniser | EmotionModel | CnnBlstmSa
    training: TrainingConfig
    encoded: bool
    fbank: FeaturesConfig
    hours: float
    mean_seconds: float

    @cached_property
    def whole(self) -> Cost:
        """Of an utterance of mean length, if all of the network were trained."""
        if self.num_trained == self.num_parameters:
            return self.step
        return cost(copy.deepcopy(self.model).requires_grad_(True), self._utterance)

    @cached_property
    def step(self) -> Cost:
        """Of an utterance of mean length in every epoch, without what is encoded once."""
        given = {"encoded": True} if self.encoded else {}
        return cost(self.model, self.given, **given)

    @cached_property
    def given(self) -> torch.Tensor:
        """What is loaded of it in every epoch: its features, or what a frozen encoder gave."""
        feats = self._utterance
        if not self.encoded:
            return feats
        assert not isinstance(self.model, CnnBlstmSa)
        with torch.no_grad():
            hidden, _ = self.model.encode(feats, torch.full((1,), self.num_frames, device="meta"))
        return hidden

    @property
    def flops(self) -> int:
        """Operations of the whole run on an utterance of mean length."""
        once = self.whole.forward.total() - self.step.forward.total()  # 0 unless encoded
        return once + self.training.max_epochs * (self.step.forward.total() + self.step.backward)

    @property
    def _utterance(self) -> torch.Tensor:
        return torch.empty(1, self.num_frames, self.fbank.num_mel_bins, device="meta")

    @property
    def num_parameters(self) -> int:
        """Of the network."""
        return count_parameters(self.model)

    @property
    def num_trained(self) -> int:
        """Parameters that are not frozen."""
        return sum(p.numel() for p in self.model.parameters() if p.requires_grad)

    @property
    def hours_per_epoch(self) -> float:
        """Hours of speech an epoch with the speed copies."""
        return self.hours * (1 + sum(1 / speed for speed in self.training.speed_factors))

    @property
    def num_frames(self) -> int:
        """T of an utterance of mean length, padded where the features are."""
        return round(num_frames(self.fbank, self.mean_seconds))

    @property
    def num_utts(self) -> float:
        """Utterances of mean length an epoch that are as long as all with the speed copies."""
        return self.hours_per_epoch * 3600 / self.mean_seconds

    @property
    def num_steps(self) -> int:
        """Optimiser steps of the whole run."""
        copies = 1 + len(self.training.speed_factors)
        num_utts = self.hours * 3600 / self.mean_seconds * copies
        return math.ceil(num_utts / self.training.batch_size_utts) * self.training.max_epochs

    @property
    def bytes_per_second(self) -> float:
        """Bytes of float32 of a second of speech, as the model gets them in every epoch."""
        return FLOAT_BYTES * self.given.numel() / self.mean_seconds


def read_plans(
    path: Path, vocab_size: int | None, hours: float | None, epochs: int | None
) -> list[Plan]:
    """Reads a configuration of pre-training or of a system, and its neighbours.

    Two plans come of a system whose head is trained first: that training, and the one after it.

    Args:
        path: ``conf/pretrain/<name>.yaml`` or ``conf/systems/<system>.yaml``.
        vocab_size: V, or None for what ``conf/bpe.yaml`` gives with the blank.
        hours: Hours of speech an epoch, or None for the paper's.
        epochs: Instead of the configuration's.

    Raises:
        SerError: The file is neither of the two, or a file beside it is missing or wrong.
    """
    conf = path.absolute().parent.parent
    values = read_yaml(path)
    if isinstance(values, dict) and "published" in values:
        raise SerError(
            f"{path}: the weights are published; expected an encoder that is trained: there is "
            "nothing to estimate"
        )
    if not isinstance(values, dict) or not values.keys() & {"encoder", "model"}:
        raise SerError(
            f"{path}: neither 'encoder' nor 'model' stands in it; expected a configuration of "
            "pre-training or of a system; name conf/pretrain/*.yaml or conf/systems/*.yaml"
        )
    if vocab_size is None:
        vocab_size = load_config(conf / "bpe.yaml", BpeConfig).num_pieces + 1
    model: Recogniser | EmotionModel | CnnBlstmSa
    config: PretrainConfig | SystemConfig
    with torch.device("meta"):
        if "encoder" in values:
            config = load_config(path, PretrainConfig)
            usual_hours, mean_seconds = LIBRISPEECH
            model = build_recogniser(config, vocab_size)
        else:
            config = load_config(path, SystemConfig)
            usual_hours, mean_seconds = IEMOCAP
            num_emotions = len(load_config(conf / "labels.yaml", LabelsConfig).names)
            model = build_system(config, num_emotions, vocab_size)
    trainings: dict[str, PretrainConfig | SystemConfig] = {str(path): config}
    if isinstance(config, SystemConfig) and (head := with_head_alone(config)):
        trainings = {f"{path}, the head first": head, f"{path}, after it": config}
    plans = []
    for name, config in trainings.items():
        frozen = copy.deepcopy(model)
        freeze(frozen, config.optimizer.frozen)
        num_epochs = epochs or config.training.max_epochs
        plans.append(
            Plan(
                name=name,
                model=frozen,
                training=config.training.model_copy(update={"max_epochs": num_epochs}),
                encoded=can_be_encoded(config),
                fbank=load_features(conf),
                hours=hours or usual_hours,
                mean_seconds=mean_seconds,
            )
        )
    return plans
