"""The training loop: the same bits however it was interrupted or split."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import ALONE, SPEC_AUGMENT, optimizer_config, system_config, training_config
from tiny_training import (
    NO_DROPOUT,
    NUM_EPOCHS,
    NUM_UTTS,
    STEPS_PER_EPOCH,
    KilledError,
    kill_at,
    kill_in_validation,
    make_trainer,
    metrics_log,
    weights,
)
from torch import nn

from ser.base.errors import SerError
from ser.data.sampler import epoch_batches
from ser.nn.losses import Loss
from ser.nn.systems import build_system
from ser.nn.weights import load_weights
from ser.train.engine import loop
from ser.train.engine.loop import Trainer
from ser.train.engine.metrics_logger import averages
from ser.train.engine.optimizer import learning_rate
from ser.train.finetune import emotion_loss
from ser.train.training_data import TrainingData

pytestmark = pytest.mark.long


def test_same_seed_same_bits(data: TrainingData, tmp_path: Path, every_second_step: None) -> None:
    for name in "ab":
        make_trainer(data, tmp_path / name).run()
    assert weights(tmp_path / "a") == weights(tmp_path / "b")
    assert metrics_log(tmp_path / "a") == metrics_log(tmp_path / "b")
    make_trainer(data, tmp_path / "c", seed=2).run()
    assert weights(tmp_path / "a") != weights(tmp_path / "c")


@pytest.mark.parametrize("share", [0.0, 0.2, 0.35, 0.5, 0.7, 0.9, 1.0])
def test_interrupted_and_resumed_equals_run_through(
    data: TrainingData, tmp_path: Path, every_second_step: None, num_calls: int, share: float
) -> None:
    make_trainer(data, tmp_path / "through").run()
    call = max(1, round(share * num_calls))
    with pytest.raises(KilledError):
        make_trainer(data, tmp_path / "resumed", change=kill_at(call)).run()
    assert not (tmp_path / "resumed" / "model.safetensors").exists()
    notes = make_trainer(data, tmp_path / "resumed").run()
    assert weights(tmp_path / "resumed") == weights(tmp_path / "through")
    assert metrics_log(tmp_path / "resumed") == metrics_log(tmp_path / "through")
    assert notes["num_steps"] == NUM_EPOCHS * STEPS_PER_EPOCH


def test_interrupted_again_and_again(
    data: TrainingData, tmp_path: Path, every_second_step: None, num_calls: int
) -> None:
    make_trainer(data, tmp_path / "through").run()
    times_killed = 0
    while not (tmp_path / "resumed" / "model.safetensors").exists():
        try:
            make_trainer(data, tmp_path / "resumed", change=kill_at(6)).run()
        except KilledError:
            times_killed += 1
        assert times_killed < num_calls
    assert times_killed > 3
    assert weights(tmp_path / "resumed") == weights(tmp_path / "through")
    assert metrics_log(tmp_path / "resumed") == metrics_log(tmp_path / "through")


def test_steps_after_the_last_checkpoint_are_done_and_told_again(
    data: TrainingData, tmp_path: Path, every_second_step: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed three steps after the last checkpoint, with lines in the metrics log since then."""
    make_trainer(data, tmp_path / "through").run()
    original, saved = loop.save_checkpoint, []

    def save_twice(*arguments: Any) -> None:
        if len(saved) < 2:
            saved.append(original(*arguments))

    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr(loop, "save_checkpoint", save_twice)
        make_trainer(data, tmp_path / "resumed", validate=kill_in_validation(2)).run()
    assert [e["step"] for e in metrics_log(tmp_path / "resumed")] == [2, 3, 4, 6]
    make_trainer(data, tmp_path / "resumed").run()
    assert weights(tmp_path / "resumed") == weights(tmp_path / "through")
    assert metrics_log(tmp_path / "resumed") == metrics_log(tmp_path / "through")


def test_accumulated_parts_give_the_gradient_of_the_whole_batch(
    data: TrainingData, tmp_path: Path
) -> None:
    gradients = []
    for limit in (10**6, 150):
        training = training_config(
            batch_size_utts=NUM_UTTS, max_epochs=1, max_frames_in_memory=limit
        )
        no_clip = optimizer_config(max_grad_norm=1e9)
        calls: list[int] = []
        trainer = make_trainer(
            data,
            tmp_path / str(limit),
            training,
            no_clip,
            NO_DROPOUT,
            change=lambda call, loss, calls=calls: calls.append(call) or loss,
        )
        trainer.run()
        assert len(calls) == 2 if limit > 1000 else len(calls) > 5  # with the rehearsal
        gradients.append({n: p.grad for n, p in trainer.model.named_parameters()})
    whole, parts = gradients
    for name, gradient in whole.items():
        assert gradient is not None and parts[name] is not None
        assert (gradient - parts[name]).norm() <= 1e-5 * gradient.norm() + 1e-8, name
    a, b = (metrics_log(tmp_path / str(limit))[-1] for limit in (10**6, 150))
    assert a.pop("scope") == b.pop("scope") == "epoch"
    assert a == pytest.approx(b, rel=1e-5)


def test_metrics_log_holds_means_over_utterances(data: TrainingData, tmp_path: Path) -> None:
    """Eq. (8) in the numbers told; the last batch is smaller and weighs less."""
    training = training_config(batch_size_utts=4, max_epochs=1)
    recorded: list[Loss] = []
    make_trainer(
        data, tmp_path, training, change=lambda _, loss: recorded.append(loss) or loss
    ).run()
    recorded = recorded[1:]  # the first was the rehearsal
    (entry,) = metrics_log(tmp_path)
    assert entry["scope"] == "epoch"
    assert (entry["epoch"], entry["step"]) == (1, 3)
    for name, values in (
        ("loss", [loss.total for loss in recorded]),
        ("emotion_loss", [loss.emotion for loss in recorded]),
        ("ctc_loss", [loss.ctc for loss in recorded]),
    ):
        expected = sum(v.item() for v in values if v is not None) / NUM_UTTS
        assert entry[name] == pytest.approx(expected, rel=1e-5)
    assert entry["loss"] == pytest.approx(entry["emotion_loss"] + 0.6 * entry["ctc_loss"], rel=1e-5)
    assert entry["learning_rate"] == pytest.approx(1e-3)
    assert averages({"loss": 6.0, "utts": 3, "steps": 2, "gradient_norm": 4.0, "seconds": 1}) == {
        "loss": 2.0,
        "gradient_norm": 2.0,
    }


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_loss_that_is_not_finite_stops_with_its_utterances(
    data: TrainingData, tmp_path: Path, value: float
) -> None:
    training = training_config(batch_size_utts=4, max_epochs=2)

    def spoil(call: int, loss: Loss) -> Loss:
        return loss._replace(total=loss.total * value) if call == 3 else loss

    batch = epoch_batches([u.num_frames for u in data.utterances], 4, 0.05, 1, 0)[1]
    with pytest.raises(SerError, match="expected finite numbers") as caught:
        make_trainer(data, tmp_path, training, change=spoil).run()
    message = str(caught.value)
    assert message.startswith(f"{tmp_path}: loss {value:g}")
    assert "at step 2;" in message
    named = message.partition("the utterances: ")[2].split("; ")
    assert sorted(named) == sorted(data.utterances[i].utt for i in batch)
    assert not (tmp_path / "model.safetensors").exists()


def test_gradient_that_is_not_finite_stops(data: TrainingData, tmp_path: Path) -> None:
    trainer = make_trainer(data, tmp_path)
    trainer.model.emotion_head.weight.register_hook(lambda grad: grad * math.inf)
    before = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    with pytest.raises(SerError, match=r"gradient norm (inf|nan) at step 1;"):
        trainer.run()
    after = trainer.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_precision(data: TrainingData, tmp_path: Path, precision: str) -> None:
    training = training_config(precision=precision, max_epochs=1)
    seen = set()

    def look(_: int, loss: Loss) -> Loss:
        seen.add(loss.total.dtype)
        return loss

    trainer = make_trainer(data, tmp_path, training, change=look)
    hooked = set()
    linear = trainer.model.encoder.blocks[0].feed_forward[0]
    linear.register_forward_hook(lambda module, given, out: hooked.add(str(out.dtype)))
    trainer.run()
    assert seen == {torch.float32}, "losses are summed in float32"
    assert hooked == {f"torch.{precision}"}
    assert {p.dtype for p in trainer.model.parameters()} == {torch.float32}


def test_bfloat16_runs_for_the_baseline(data: TrainingData, tmp_path: Path) -> None:
    model = build_system(system_config("cnn_blstm_sa"), 4, None)

    loss = emotion_loss(system_config("cnn_blstm_sa"))
    training = training_config(precision="bfloat16", max_epochs=1)
    Trainer(model, loss, data, training, optimizer_config(), tmp_path, seed=1, world=ALONE).run()
    assert math.isfinite(metrics_log(tmp_path)[-1]["loss"])


def test_optimiser_steps_follow_the_schedule_and_are_clipped(
    data: TrainingData, tmp_path: Path
) -> None:
    config = optimizer_config(warmup_steps=4, max_grad_norm=1e-3, schedule="cosine")
    trainer = make_trainer(data, tmp_path, optimizer=config)
    rates, norms = [], []
    original = trainer.stepper.optimizer.step

    def step() -> None:
        rates.append(trainer.stepper.optimizer.param_groups[0]["lr"])
        squares = (p.grad.square().sum() for p in trainer.model.parameters())
        norms.append(math.sqrt(sum(float(s) for s in squares)))
        original()

    trainer.stepper.optimizer.step = step
    trainer.run()
    num_steps = NUM_EPOCHS * STEPS_PER_EPOCH
    assert rates == [learning_rate(config, i, num_steps) for i in range(num_steps)]
    assert norms == pytest.approx([1e-3] * num_steps, rel=1e-2)


def test_spec_augment_masks_in_training_when_asked(data: TrainingData, tmp_path: Path) -> None:
    losses = []
    for options in (None, SPEC_AUGMENT):
        training = training_config(max_epochs=1, spec_augment=options)
        folder = tmp_path / str(options is None)
        make_trainer(data, folder, training, model_config=NO_DROPOUT).run()
        losses.append(metrics_log(folder)[-1]["loss"])
    assert losses[0] != losses[1]


def test_frozen_parameters_stay_and_others_learn_by_their_layer(
    data: TrainingData, tmp_path: Path
) -> None:
    """After one step of Adam each weight has moved by its rate, whatever its gradient."""
    config = optimizer_config(
        learning_rate=1e-3, layer_lr_decay=0.5, frozen=["encoder.subsampling"], weight_decay=0.0
    )
    training = training_config(batch_size_utts=NUM_UTTS, max_epochs=1)
    trainer = make_trainer(data, tmp_path, training, config, NO_DROPOUT)
    before = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    trainer.run()
    moved = {
        name: float((tensor - before[name]).abs().max())
        for name, tensor in trainer.model.state_dict().items()
    }
    assert max(v for k, v in moved.items() if k.startswith("encoder.subsampling")) == 0.0
    assert moved["encoder.blocks.0.attention.qkv.weight"] == pytest.approx(5e-4, rel=1e-2)
    assert moved["encoder.blocks.1.attention.qkv.weight"] == pytest.approx(1e-3, rel=1e-2)
    assert moved["emotion_head.weight"] == pytest.approx(1e-3, rel=1e-2)
    assert moved["emotion_embedding"] == pytest.approx(1e-3, rel=1e-2)


def test_compiled_network_is_called_and_weights_keep_their_names(
    data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[dict[str, Any]] = []
    monkeypatch.setattr(nn.Module, "compile", lambda self, **options: compiled.append(options))
    trainer = make_trainer(data, tmp_path, training_config(compile=True, max_epochs=1))
    assert compiled == [{"dynamic": True}] * 2, "block by block"
    trainer.run()
    assert load_weights(tmp_path / "model.safetensors").keys() == trainer.model.state_dict().keys()
