"""A package of trained folds, and ``ser-predict`` on a model that costs nothing."""

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from tiny_audio import packing, train, untrained_model
from tiny_recipe import finetune_run

from ser.bin import ser_predict
from ser.infer.pack import pack
from ser.infer.predict import predict_all


@dataclass(frozen=True)
class Said:
    """How a call ended, and what it printed."""

    status: int
    out: str
    err: str


@pytest.fixture
def ser_predict_here(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    """Calls the program with some words, and bytes on standard input."""

    def call(*words: object, stdin: bytes = b"") -> Said:
        monkeypatch.setattr(ser_predict, "load", lambda *_: untrained_model())
        monkeypatch.setattr(sys, "argv", ["ser-predict", "model", *map(str, words)])
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(stdin)))
        code: object = 0
        try:
            ser_predict.program()
        except SystemExit as ended:
            code = ended.code
        out, err = capsys.readouterr()
        if isinstance(code, str):  # which Python prints when it leaves
            code, err = 1, f"{err}{code}\n"
        return Said(int(code or 0), out, err)  # type: ignore[call-overload]  # a number by now

    return call


@pytest.fixture
def package(recipe: Path, tmp_path: Path) -> Path:
    """An ensemble of three folds, calibrated on their predictions."""
    train("transformer_tl_mtl")
    predict_all([finetune_run("transformer_tl_mtl", fold=fold) for fold in "123"])
    pack(packing(), tmp_path / "model")
    return tmp_path / "model"
