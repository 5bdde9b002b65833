"""Training runs of the paper's sizes for ``benchmarks.gpu``: features, networks, single steps."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from benchmarks.corpora import speech_num_frames
from ser.config.load import load_config
from ser.config.network import CnnBlstmSaConfig, TransformerConfig
from ser.config.schema import OptimizerConfig, PretrainConfig, SystemConfig, TrainingConfig
from ser.data.utterances import FeatureReader, Utterance
from ser.kaldi.ark import ArkWriter
from ser.nn.cost import cost
from ser.nn.recogniser import Recogniser
from ser.nn.systems import build_system
from ser.train.engine.distributed import Distributed
from ser.train.engine.step import ComputeLoss, Stepper
from ser.train.finetune import emotion_loss
from ser.train.pretrain import recogniser_loss
from ser.train.training_data import TrainingData

CONF = Path(__file__).parents[2] / "egs" / "iemocap" / "conf"
NUM_CLASSES = 4
FRAMES_PER_HOUR = 360_000
TOKENS_PER_FRAME = 0.03
WARM_STEPS = 3
PRECISIONS = {  # name -> of products, of the configuration, compiled
    "float32": ("highest", "float32", False),
    "TF32": ("high", "float32", False),
    "bfloat16": ("high", "bfloat16", False),
    "bfloat16 compiled": ("high", "bfloat16", True),
}


class Sizes(NamedTuple):
    """How much is measured."""

    matrix: int
    copied_bytes: int
    repeats: int
    hours: float  # of features on the disk
    num_steps: int  # of training that are timed
    vocab_size: int
    tiny: bool


SIZES = {
    "cuda": Sizes(8192, 2**31, 20, hours=4.0, num_steps=10, vocab_size=5001, tiny=False),
    "cpu": Sizes(128, 2**20, 2, hours=0.03, num_steps=2, vocab_size=9, tiny=True),
}


def wait(device: torch.device) -> None:
    """Until all that was asked of the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextmanager
def corpus(name: str, sizes: Sizes) -> Iterator[TrainingData]:
    """Random features of the corpus' real lengths in an archive, with tokens and labels."""
    random = np.random.default_rng(0)
    lens: list[int] = []
    while sum(lens) < sizes.hours * FRAMES_PER_HOUR:
        lens += speech_num_frames(name)
    lens = random.permutation(lens).tolist()
    number = int(np.searchsorted(np.cumsum(lens), sizes.hours * FRAMES_PER_HOUR)) + 1
    utterances = [
        Utterance(
            f"utt{place:06}",
            size,
            random.integers(1, sizes.vocab_size, max(1, int(TOKENS_PER_FRAME * size))).tolist(),
            place % NUM_CLASSES,
        )
        for place, size in enumerate(lens[:number])
    ]
    with tempfile.TemporaryDirectory() as folder, ArkWriter(Path(folder), "float32") as writer:
        for utterance in utterances:
            feats = random.standard_normal((utterance.num_frames, 80), dtype=np.float32)
            writer.write(utterance.utt, feats)
        feats = FeatureReader(writer.finish(), Path(folder) / "feats.scp", "utterance_mean")
        yield TrainingData(utterances, feats, 10.0)


class Training(NamedTuple):
    """A configuration of the recipe, and how its network is made."""

    make: Callable[[], nn.Module]
    compute_loss: ComputeLoss
    training: TrainingConfig
    optimizer: OptimizerConfig


def shrunk(model: Any) -> Any:
    """A network's configuration with everything small."""
    if isinstance(model, CnnBlstmSaConfig):
        return model.model_copy(update={"num_channels": 2, "lstm_dim": 8, "attention_dim": 8})
    assert isinstance(model, TransformerConfig)
    front = model.subsampling.model_copy(update={"num_channels": 4})
    sizes = {"d_model": 16, "num_blocks": 2, "num_heads": 2, "head_dim": 8, "ffn_dim": 32}
    return model.model_copy(update={"subsampling": front, **sizes})


def pretraining_of(sizes: Sizes) -> Training:
    """The paper's recogniser."""
    config = load_config(CONF / "pretrain" / "ctc.yaml", PretrainConfig)
    encoder = shrunk(config.encoder) if sizes.tiny else config.encoder
    return Training(
        lambda: Recogniser(encoder, sizes.vocab_size),
        recogniser_loss(config.ctc),
        config.training,
        config.optimizer,
    )


def finetuning_of(system: str, sizes: Sizes) -> Training:
    """One of the paper's systems."""
    config = load_config(CONF / "systems" / f"{system}.yaml", SystemConfig)
    if sizes.tiny:
        config = config.model_copy(update={"model": shrunk(config.model)})
    return Training(
        lambda: build_system(config, NUM_CLASSES, sizes.vocab_size),
        emotion_loss(config),
        config.training,
        config.optimizer,
    )


class Prepared(NamedTuple):
    """An optimiser step at a time."""

    model: nn.Module
    step: Callable[[int], object]
    frames: Sequence[int]  # of real speech, step by step
    lens: Sequence[int]  # of all utterances


def prepare(
    wanted: Training, data: TrainingData, device: torch.device, precision: str, sizes: Sizes
) -> Prepared:
    """Batches that lie on the device already; ``step(n)`` takes the n-th."""
    matmul, autocast, compiled = PRECISIONS[precision]
    torch.set_float32_matmul_precision(matmul)
    torch.backends.cudnn.allow_tf32 = matmul == "high"
    changes = {"precision": autocast, "compile": compiled, "max_epochs": 1}
    if sizes.tiny:
        changes["batch_size_utts"] = 2
    training = wanted.training.model_copy(update={**changes, "num_loader_workers": 0})
    world = Distributed(0, 1, device)
    torch.manual_seed(1)
    model = wanted.make().to(device)
    stepper = Stepper(model, wanted.compute_loss, training, wanted.optimizer, 10**6, 1, world)
    given = list(islice(data.steps(training, 1, 0, 0, world), sizes.num_steps))

    def step(number: int) -> object:
        one, parts = given[number % len(given)]
        return stepper.step(number, parts, 1, len(one.batch), stop=False)

    lens = [data.num_frames[i] for one, _ in given for i in one.batch]
    frames = [sum(data.num_frames[i] for i in o.batch) for o, _ in given]
    return Prepared(model, step, frames, lens)


def training_flops(make: Callable[[], nn.Module], lens: Sequence[int]) -> float:
    """Of forward and backward pass of utterances, counted at a few lengths and interpolated."""
    with torch.device("meta"):
        model = make()
    counted = sorted({int(size) for size in np.linspace(min(lens), max(lens), 5)})
    costs = [cost(model, torch.empty(1, size, 80, device="meta")) for size in counted]
    flops = [one.forward.total() + one.backward for one in costs]
    return float(np.interp(lens, counted, flops).sum())


def timed(prepared: Prepared, device: torch.device) -> float:
    """Seconds of all steps."""
    for number in range(WARM_STEPS):
        prepared.step(number)
    wait(device)
    began = time.perf_counter()
    for number in range(len(prepared.frames)):
        prepared.step(number)
    wait(device)
    return time.perf_counter() - began
