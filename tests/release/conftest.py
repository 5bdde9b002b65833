"""A recipe whose system takes the mean of a speaker's turns off."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny_audio import packing, train
from tiny_predictions import run_score
from tiny_recipe import EXP, change_system, finetune_run

from ser.config.network import ReadoutConfig
from ser.predict.folds import predict_all
from ser.release.pack import pack

NAME = "transformer_tl"


@pytest.fixture(scope="session")
def packed(pretrained_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe with a system that takes the speaker's mean off: scored, and packed as ``model``."""
    root = shutil.copytree(pretrained_recipe, tmp_path_factory.mktemp("by_speaker") / "recipe")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        readout = ReadoutConfig(type="mean_sd", speaker_prior=2.5)
        change_system(NAME, readout=readout, optimizer__frozen=["encoder"])
        train(NAME)
        predict_all([finetune_run(NAME, fold=fold) for fold in "123"])
        run_score(patch, EXP, "--systems", NAME, "--seeds", "1")
        pack(packing(NAME), root / "model")
    return root


@pytest.fixture
def turns(tmp_path: Path) -> list[Path]:
    """Of one speaker, the last of them silent."""
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{i}.wav" for i in range(4)]
    for i, path in enumerate(paths):
        samples = (0.1 + 0.05 * i) * rng.normal(size=16000 + 1000 * i) * (i < 3)
        soundfile.write(path, samples, 16000)
    return paths
