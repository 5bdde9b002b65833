"""Audio files and trained models that the tests of prediction share."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from tiny import FBANK
from tiny_recipe import EXP, finetune_run

from ser.base.arrays import Floats
from ser.feats.fbank import Fbank
from ser.infer.engine import Output
from ser.infer.model import Model
from ser.predict.folds import predict_all
from ser.release.pack import Packing, pack
from ser.train.finetune import finetune

RATES = {"a.wav": 16000, "b.flac": 8000, "c.ogg": 44100}


def plant_files(folder: Path) -> list[Path]:
    """Files of several formats, rates, channels and lengths, one shorter than a frame."""
    random = np.random.default_rng(0)
    paths = []
    for i, (name, rate) in enumerate(RATES.items()):
        paths.append(folder / name)
        soundfile.write(paths[-1], 0.1 * random.normal(size=(rate * (i + 1), 1 + i)), rate)
    paths.append(folder / "short.wav")
    soundfile.write(paths[-1], 0.1 * random.normal(size=100), 16000)
    return paths


def train(system: str, folds: str = "123") -> Path:
    """Fine-tunes some folds of the tiny recipe: ``exp/<system>``."""
    for fold in folds:
        finetune(finetune_run(system, fold=fold))
    return EXP / system


def train_and_pack() -> None:
    """TL+MTL and the baseline trained, predicted with, and the former packed as ``model``."""
    train("transformer_tl_mtl")
    train("cnn_blstm_sa", "1")
    predict_all([finetune_run("transformer_tl_mtl", fold=fold) for fold in "123"])
    pack(packing(), Path.cwd() / "model")


def run_folder(system: str, fold: str) -> Path:
    """Where a run lies in the recipe."""
    return finetune_run(system, fold).folder


def untrained_model() -> Model:
    """A model of two classes whose posteriors follow how much the energies vary."""
    return Model(_variation, ("calm", "lively"), Fbank(FBANK), None)


def _variation(inputs: Sequence[Floats]) -> list[Output]:
    shares = [1 / (1 + np.square(feats).mean()) for feats in inputs]
    return [Output(np.array([s, 1 - s], np.float32), None) for s in shares]


def packing(system: str = "transformer_tl_mtl", **changes: Any) -> Packing:
    """How the trained folds of a system are packed."""
    values = {"seed": 1, "folds": (), "average": False, "licence": "MIT", "data": "tiny"}
    values |= {"data_licence": "CC-BY-4.0"}
    return Packing(system=EXP / system, **(values | changes))
