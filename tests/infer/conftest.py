"""``ser-predict`` on a model that costs nothing, and models of the trained recipe."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from programs import Said, call
from tiny_audio import run_folder, untrained_model

from ser.bin import ser_predict
from ser.infer.loading import load
from ser.infer.model import Model


@pytest.fixture
def ser_predict_here(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """Calls the program with some words, and bytes on standard input."""
    monkeypatch.setattr(ser_predict, "load", lambda *_: untrained_model())
    return partial(call, "ser_predict", "model")


@pytest.fixture(scope="session")
def model(trained_recipe: Path) -> Model:
    """TL+MTL without its first fold."""
    return load(trained_recipe / run_folder("transformer_tl_mtl", "1"))


@pytest.fixture(scope="session")
def baseline(trained_recipe: Path) -> Model:
    """CNN-BLSTM-SA without its first fold."""
    return load(trained_recipe / run_folder("cnn_blstm_sa", "1"))
