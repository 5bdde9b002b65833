"""What a configuration asks of a training run: network, batches, hours of speech."""

import math
from dataclasses import dataclass
from pathlib import Path

import torch

from ser.base.errors import SerError
from ser.config.features import FeaturesConfig, load_features
from ser.config.load import load_config
from ser.config.schema import BpeConfig, LabelsConfig, PretrainConfig, SystemConfig, TrainingConfig
from ser.config.yaml_file import read_yaml
from ser.nn.cnn_blstm_sa import CnnBlstmSa
from ser.nn.cost import FLOAT_BYTES, HEADS, TRAINING_PASSES, count_parameters
from ser.nn.emotion import EmotionModel
from ser.nn.recogniser import Recogniser
from ser.nn.systems import build_recogniser, build_system
from ser.train.engine.optimizer import freeze
from ser.train.frozen import can_be_encoded, is_frozen

# Hours of speech and mean seconds of an utterance.
LIBRISPEECH = 960.0, 12.3  # 281,241 utterances
IEMOCAP = 5.6, 4.55  # four fifths of the 5531 of four classes


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One training run, as its configuration has it.

    Attributes:
        name: For people.
        model: The network, on the meta device.
        training: Batches and epochs.
        encoder_passes: How often speech goes through the encoder in the run, counted in forward
            passes: three an epoch, frozen one, and one in all where its outputs are computed once.
        fbank: The features.
        hours: Hours of speech an epoch, speed copies not counted.
        mean_seconds: Mean length of an utterance.
    """

    name: str
    model: Recogniser | EmotionModel | CnnBlstmSa
    training: TrainingConfig
    encoder_passes: int
    fbank: FeaturesConfig
    hours: float
    mean_seconds: float

    def passes(self, part: str) -> int:
        """How often speech goes through a part of the network, counted in forward passes."""
        return TRAINING_PASSES * self.training.max_epochs if part in HEADS else self.encoder_passes

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
        seconds = max(self.mean_seconds, getattr(self.fbank, "pad_seconds", None) or 0.0)
        return round(seconds * 1000 / self.fbank.frame_shift_ms)

    @property
    def num_steps(self) -> int:
        """Optimiser steps of the whole run."""
        copies = 1 + len(self.training.speed_factors)
        num_utts = self.hours * 3600 / self.mean_seconds * copies
        return math.ceil(num_utts / self.training.batch_size_utts) * self.training.max_epochs

    @property
    def bytes_per_second(self) -> float:
        """Bytes of float32 features of a second of speech, as the model gets them."""
        return FLOAT_BYTES * self.fbank.num_mel_bins * 1000 / self.fbank.frame_shift_ms


def read_plan(path: Path, vocab_size: int | None, hours: float | None, epochs: int | None) -> Plan:
    """Reads a configuration of pre-training or of a system, and its neighbours.

    Args:
        path: ``conf/pretrain/<name>.yaml`` or ``conf/systems/<system>.yaml``.
        vocab_size: V, or None for what ``conf/bpe.yaml`` gives with the blank.
        hours: Hours of speech an epoch, or None for the paper's.
        epochs: Instead of the configuration's.

    Raises:
        SerError: The file is neither of the two, or a file beside it is missing or wrong.
    """
    conf = path.parent.parent
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
            config = pretrain = load_config(path, PretrainConfig)
            training, (usual_hours, mean_seconds) = pretrain.training, LIBRISPEECH
            model = build_recogniser(pretrain, vocab_size)
        else:
            config = system = load_config(path, SystemConfig)
            training, (usual_hours, mean_seconds) = system.training, IEMOCAP
            num_emotions = len(load_config(conf / "labels.yaml", LabelsConfig).names)
            model = build_system(system, num_emotions, vocab_size)
    freeze(model, config.optimizer.frozen)
    training = training.model_copy(update={"max_epochs": epochs or training.max_epochs})
    passes = 1
    if not can_be_encoded(config):
        passes = training.max_epochs * (1 if is_frozen(config.optimizer) else TRAINING_PASSES)
    return Plan(
        name=str(path),
        model=model,
        training=training,
        encoder_passes=passes,
        fbank=load_features(conf),
        hours=hours or usual_hours,
        mean_seconds=mean_seconds,
    )
