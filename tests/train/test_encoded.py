"""What a frozen encoder makes of the features is computed once, and changes nothing."""

import time
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tiny import optimizer_config, training_config
from tiny_recipe import (
    EXP,
    FEATS,
    change_system,
    epochs,
    finetune_run,
    weights,
    write_emotion_feats,
)

from ser.base.errors import SerError, StoppedError
from ser.base.record import read_record
from ser.config.network import ReadoutConfig
from ser.config.schema import HeadConfig, SystemConfig, can_be_encoded
from ser.config.systems import load_trained_system
from ser.data.utterances import read_feature_dir
from ser.kaldi.ark import ArkWriter
from ser.nn.weights import load_weights
from ser.predict import networks
from ser.predict.networks import predict_parts
from ser.score.report.provenance import read_curve
from ser.train import encoded as encoded_module
from ser.train import frozen as frozen_module
from ser.train import split as split_module
from ser.train.engine import loop
from ser.train.engine.step import Stepper
from ser.train.finetune import finetune, finetune_resolved
from ser.train.launch.local import encode_first, finetune_all
from ser.train.resolve import FinetuneRun, resolve

pytestmark = pytest.mark.usefixtures("recipe")
NAME = "transformer_tl"


def frozen(readout: str = "mean_sd", **changes: Any) -> FinetuneRun:
    change_system(
        NAME, readout=ReadoutConfig(type=readout), optimizer__frozen=["encoder"], **changes
    )
    return finetune_run(NAME)


def folder(readout: str) -> Path:
    return EXP / "encoded" / f"ctc.{readout}" / "ser"


def system() -> SystemConfig:
    return load_trained_system(finetune_run(NAME).conf, NAME)


@pytest.mark.parametrize("readout", ["mean", "mean_sd", "moments_and_halves", "attentive"])
def test_the_weights_are_those_of_training_through_the_encoder(
    readout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In one batch: what is pooled has no length that batches could be sorted by.
    run = frozen(readout, training__batch_size_utts=64)
    finetune(run)
    once = load_weights(run.folder / "model.safetensors")
    assert (folder(readout) / "run.json").exists()
    monkeypatch.setattr(split_module, "encoding_of", lambda run, system: None)
    other = finetune_run(NAME, exp_dir=Path("elsewhere"))
    other.exp_dir.mkdir()
    (other.exp_dir / "folds").symlink_to((EXP / "folds").resolve())
    finetune(other)
    assert not (other.exp_dir / "encoded").exists()
    through = load_weights(other.folder / "model.safetensors")
    pretrained = load_weights(EXP / "pretrain" / "ctc" / "model.safetensors")
    assert once.keys() == through.keys()
    for name, tensor in once.items():
        if name.startswith("encoder."):
            assert torch.equal(tensor, pretrained[name])
        assert torch.allclose(tensor, through[name], atol=2e-4), name


def test_predictions_from_what_was_computed_are_those_through_the_encoder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = frozen()
    finetune(run)
    features = read_feature_dir(FEATS / "ser")
    once = {p.utt: p.posteriors for p in predict_parts(resolve(run), features, ("test",))}
    monkeypatch.setattr(networks, "encoding_of", lambda run, system: None)
    through = {p.utt: p.posteriors for p in predict_parts(resolve(run), features, ("test",))}
    assert once.keys() == through.keys() and len(once) == 8
    for utt, row in once.items():
        assert row == pytest.approx(through[utt], abs=1e-5)


def test_runs_share_what_was_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    finetune(frozen())
    monkeypatch.setattr(encoded_module, "_encode", None)  # cannot be called
    finetune(finetune_run(NAME, fold="2"))
    record = read_record(folder("mean_sd"))
    assert record["inputs"].keys() == {str(FEATS / "ser"), str(EXP / "pretrain" / "ctc")}


def test_a_killed_encoding_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    finetune(frozen())
    ark = folder("mean_sd") / "feats.ark"
    whole = ark.read_bytes()
    (folder("mean_sd") / "run.json").unlink()
    ark.unlink()
    monkeypatch.setattr(frozen_module, "MAX_FRAMES", 500)
    append, calls = ArkWriter.append, 0

    def killed(self: ArkWriter, *given: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 7:
            raise KeyboardInterrupt
        append(self, *given)

    monkeypatch.setattr(ArkWriter, "append", killed)
    with pytest.raises(KeyboardInterrupt):
        finetune(finetune_run(NAME, fold="2"))
    monkeypatch.setattr(ArkWriter, "append", append)
    finetune(finetune_run(NAME, fold="2"))
    assert len(ark.read_bytes()) == len(whole)
    read = read_feature_dir(folder("mean_sd"))
    assert list(read.num_frames) == list(read_feature_dir(FEATS / "ser").num_frames)


def test_the_log_tells_how_far_it_is(log: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoded_module, "TELL_EVERY_SECONDS", -1)
    monkeypatch.setattr(frozen_module, "MAX_FRAMES", 500)
    encode_first([resolve(frozen())])
    assert len(log.find(r"ser: \d+ of 24 utterances$")) > 2
    assert log.find("warning: .*1 utterances shorter than")


def test_other_features_are_encoded_anew() -> None:
    finetune(frozen())
    before = (folder("mean_sd") / "feats.ark").read_bytes()
    write_emotion_feats(seed=9)
    finetune(finetune_run(NAME, fold="2"))
    assert (folder("mean_sd") / "feats.ark").read_bytes() != before


@pytest.mark.parametrize(
    ("changes", "once"),
    [
        ({}, True),
        ({"optimizer__frozen": ["encoder.subsampling"]}, False),
        ({"readout": ReadoutConfig()}, False),
        ({"readout": ReadoutConfig(type="emotion_vector_of_all_blocks")}, False),
        ({"ctc_alpha": 0.6}, False),
        ({"init": "scratch"}, False),
    ],
)
def test_only_what_is_the_same_in_every_epoch(changes: dict[str, Any], once: bool) -> None:
    frozen()
    change_system(NAME, **changes)
    assert can_be_encoded(system()) == once


def test_a_frozen_encoder_behind_the_vector_has_no_dropout() -> None:
    """At no learning rate two epochs have the same loss: nothing is drawn."""
    run = frozen("emotion_vector", optimizer__learning_rate=1e-20, training__max_epochs=2)
    finetune(run)
    first, second = (entry["loss"] for entry in epochs(run))
    assert first == pytest.approx(second, rel=1e-6)


def test_features_of_another_definition_are_refused() -> None:
    run = frozen()
    path = EXP / "pretrain" / "ctc" / "run.json"
    text = path.read_text()
    assert '"type": "kaldi"' in text
    path.write_text(text.replace('"type": "kaldi"', '"type": "whisper"'))
    with pytest.raises(SerError, match=r"features with type kaldi; .*ctc was trained on whisper"):
        finetune(run)


HEAD = HeadConfig(
    optimizer=optimizer_config(frozen=["encoder"]), training=training_config(max_epochs=3)
)


def test_the_head_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """At no rate afterwards the head has learned, and the encoder is as it was."""
    monkeypatch.setattr("ser.train.engine.loop.time", SimpleNamespace(monotonic=count().__next__))
    pooled = ReadoutConfig(type="mean_sd")
    change_system(NAME, readout=pooled, head_first=HEAD, optimizer__learning_rate=1e-20)
    run = finetune_run(NAME)
    finetune(run)
    tuned = load_weights(run.folder / "model.safetensors")
    pretrained = load_weights(EXP / "pretrain" / "ctc" / "model.safetensors")
    for name in (name for name in pretrained if name.startswith("encoder.")):
        assert torch.allclose(tuned[name], pretrained[name], rtol=0, atol=1e-15)
    change_system(NAME, readout=pooled, head_first=None, optimizer=HEAD.optimizer)
    change_system(NAME, training=HEAD.training)
    alone = finetune_run(NAME, fold="1", exp_dir=Path("elsewhere"))
    alone.exp_dir.mkdir()
    (alone.exp_dir / "folds").symlink_to((EXP / "folds").resolve())
    finetune(alone)
    wanted = load_weights(alone.folder / "model.safetensors")
    for name in (name for name in wanted if not name.startswith("encoder.")):
        assert torch.allclose(tuned[name], wanted[name], rtol=0, atol=1e-15), name
    curves = map(read_curve, (run.folder, run.folder / "head"))
    own, of_head = (sum(epoch["seconds"] for epoch in curve) for curve in curves)
    assert of_head > 0
    assert read_record(run.folder)["notes"]["train_seconds"] == own + of_head
    assert not (run.folder / "head" / "model.safetensors").exists()
    assert not (run.folder / "head" / "checkpoint").exists()


@pytest.mark.parametrize("call", [3, 12])
def test_a_killed_run_with_the_head_first_goes_on(
    call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In either part, to the bits of a run through."""
    pooled = ReadoutConfig(type="mean_sd")
    change_system(NAME, readout=pooled, head_first=HEAD, training__checkpoint_steps=1)
    run = finetune_run(NAME)
    finetune(run)
    whole = weights(run)
    again = finetune_run(NAME, exp_dir=Path("elsewhere"))
    again.exp_dir.mkdir()
    (again.exp_dir / "folds").symlink_to((EXP / "folds").resolve())
    step, calls = Stepper.step, 0

    def killed(self: Stepper, *given: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            raise KeyboardInterrupt
        return step(self, *given)

    monkeypatch.setattr(Stepper, "step", killed)
    with pytest.raises(KeyboardInterrupt):
        finetune(again)
    monkeypatch.setattr(Stepper, "step", step)
    finetune(again)
    assert weights(again) == whole


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"init": "scratch", "ctc_alpha": 0.0}, "head_first with init scratch"),
        ({"training__speed_factors": []}, r"speed_factors \[0\.9\]; expected some of"),
    ],
)
def test_a_head_that_cannot_come_first(changes: dict[str, Any], message: str) -> None:
    training = training_config(speed_factors=[0.9] if "training__speed_factors" in changes else [])
    head = HeadConfig(optimizer=HEAD.optimizer, training=training)
    change_system(NAME, head_first=head, **changes)
    with pytest.raises(SerError, match=message):
        system()


def test_it_is_computed_before_the_runs_side_by_side() -> None:
    frozen()
    runs = [finetune_run(NAME, fold=fold) for fold in "12"]
    encode_first([resolve(run) for run in runs])
    record = folder("mean_sd") / "run.json"
    before = record.stat().st_mtime_ns
    finetune_all(runs, 2)
    assert record.stat().st_mtime_ns == before
    assert all((run.folder / "model.safetensors").exists() for run in runs)


def test_encoding_leaves_when_the_time_is_up_and_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(frozen_module, "MAX_FRAMES", 1)  # a batch for each utterance
    frozen()
    seconds = count(10.0)
    monkeypatch.setattr(encoded_module, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    run = resolve(finetune_run(NAME, deadline=16.5))  # the clock is read twice a batch
    with pytest.raises(StoppedError, match=r"stopped with 3 of 24 utterances .* to go on$"):
        encode_first([run])
    assert not (folder("mean_sd") / "run.json").exists()
    monkeypatch.setattr(encoded_module, "time", time)
    encode_first([resolve(finetune_run(NAME))])
    assert len(read_feature_dir(folder("mean_sd")).data.utts) == 24


def test_the_head_draws_nothing_over_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    disabled = []

    def look(*given: Any, **options: Any) -> Any:
        disabled.append(options["disable"])
        return bar(*given, **options)

    bar = loop.tqdm
    monkeypatch.setattr(loop, "tqdm", look)
    change_system(NAME, readout=ReadoutConfig(type="mean_sd"), head_first=HEAD)
    finetune_resolved(resolve(finetune_run(NAME)), lambda done, steps: None)
    assert disabled == [True, True]
