"""``ser-predict`` on a model that costs nothing."""

from collections.abc import Callable
from functools import partial

import pytest
from programs import Said, call
from tiny_audio import untrained_model

from ser.bin import ser_predict


@pytest.fixture
def ser_predict_here(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """Calls the program with some words, and bytes on standard input."""
    monkeypatch.setattr(ser_predict, "load", lambda *_: untrained_model())
    return partial(call, "ser_predict", "model")
