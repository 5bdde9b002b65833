"""What is made from an encoder, where this is trained again or fills the memory."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_recipe import EXP, change_system, finetune_run, pretrain_run

from ser.base.errors import SerError
from ser.config.network import ReadoutConfig
from ser.nn.emotion import EmotionModel
from ser.train.engine import loop
from ser.train.finetune import finetune
from ser.train.pretrain import pretrain
from ser.train.resolve import FinetuneRun, resolve

pytestmark = pytest.mark.usefixtures("recipe")
NAME = "transformer_tl"


def frozen(**changes: Any) -> FinetuneRun:
    readout = ReadoutConfig(type="mean_sd")
    change_system(NAME, readout=readout, optimizer__frozen=["encoder"], **changes)
    return finetune_run(NAME)


def test_an_encoder_trained_again_is_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its configuration is the same; on another machine its weights are not."""
    run = frozen()
    finetune(run)
    ark = EXP / "encoded" / "ctc.mean_sd" / "ser" / "feats.ark"
    before = ark.read_bytes()
    encoder = EXP / "pretrain" / "ctc"
    shutil.rmtree(encoder)
    pretrain(pretrain_run())
    assert resolve(run).record.is_finished(), "the same bits"
    shutil.rmtree(encoder)
    save = loop.save_weights

    def rounded(path: Path, weights: dict[str, torch.Tensor]) -> None:
        save(path, {name: 1.1 * tensor for name, tensor in weights.items()})

    monkeypatch.setattr(loop, "save_weights", rounded)
    pretrain(pretrain_run())
    monkeypatch.setattr(loop, "save_weights", save)
    assert not resolve(run).record.is_finished()
    with pytest.raises(SerError, match=r"holds another run \(inputs\.exp/pretrain/ctc was"):
        finetune(run)
    finetune(finetune_run(NAME, fold="2"))
    assert ark.read_bytes() != before


def test_a_full_memory_names_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    run = frozen(training__max_frames_in_memory=400)

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(EmotionModel, "encode", full)
    said = r"memory: exp/encoded/.*: a batch of \d utterances, of at most 400 padded frames, does"
    with pytest.raises(SerError, match=said):
        finetune(run)
