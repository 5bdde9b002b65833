"""The training loop: the same bits however it was interrupted or split."""

import json
import math
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import (
    ALONE,
    SPEC_AUGMENT,
    ark_reader,
    ctc_config,
    encoder_config,
    optimizer_config,
    random_feats,
    system_config,
    training_config,
)
from torch import nn

from ser.base.errors import SerError, StoppedError
from ser.config.schema import OptimizerConfig, TrainingConfig
from ser.data.batch import Batch
from ser.data.sampler import split_by_frames
from ser.data.utterances import Utterance
from ser.nn.emotion import EmotionModel
from ser.nn.losses import Loss, ctc_sum, multitask_loss
from ser.nn.systems import build_system
from ser.train import loop
from ser.train.checkpoint import load_weights
from ser.train.loop import Selection, Trainer, TrainingData, averages
from ser.train.optimizer import learning_rate

PACE = ("seconds", "speech_hours_per_hour", "minutes_left")
NUM_UTTS, NUM_EPOCHS, STEPS_PER_EPOCH = 11, 3, 3
NO_DROPOUT = encoder_config(dropout_prob=0.0, attention_dropout_prob=0.0)
# Each step is checkpointed; batches are split; dropout and masks draw random numbers.
RESTLESS = training_config(
    batch_size_utts=4,
    max_epochs=NUM_EPOCHS,
    max_frames_in_memory=200,
    checkpoint_minutes=1e-12,
    spec_augment=SPEC_AUGMENT,
)


class KilledError(Exception):
    """Stands for the end of the process."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> TrainingData:
    utterances = [
        Utterance(f"u{i}", 40 + 7 * i, [1 + i % 3, 4, 2], label=i % 4) for i in range(NUM_UTTS)
    ]
    feats = random_feats({u.utt: u.num_frames for u in utterances})
    return TrainingData(utterances, ark_reader(tmp_path_factory.mktemp("feats"), feats), 10.0)


def make_trainer(
    data: TrainingData,
    folder: Path,
    training: TrainingConfig = RESTLESS,
    optimizer: OptimizerConfig | None = None,
    model_config: Any = None,
    change: Callable[[int, Loss], Loss] = lambda call, loss: loss,
    **options: Any,
) -> Trainer:
    """A run of TL+MTL. ``change`` may raise, or alter the loss, by the number of the call."""
    torch.manual_seed(options.get("seed", 1))
    system = system_config("transformer_tl_mtl", model=model_config or encoder_config())
    model = build_system(system, 4, 6)
    assert isinstance(model, EmotionModel)
    calls = 0

    def compute_loss(network: nn.Module, batch: Batch) -> Loss:
        nonlocal calls
        calls += 1
        output = network(batch.feats, batch.feat_lens)
        assert output.ctc_logits is not None
        targets = (batch.tokens, batch.token_lens)
        ctc = ctc_sum(output.ctc_logits, output.frame_lens, *targets, ctc_config())
        return change(calls, multitask_loss(output.emotion_logits, batch.labels, ctc, 0.6))

    options = {"seed": 1, "world": ALONE, **options}
    seed, world = options.pop("seed"), options.pop("world")
    optimizer = optimizer or optimizer_config()
    return Trainer(model, compute_loss, data, training, optimizer, folder, seed, world, **options)


def kill_at(number: int) -> Callable[[int, Loss], Loss]:
    def change(call: int, loss: Loss) -> Loss:
        if call == number:
            raise KilledError
        return loss

    return change


def journal(folder: Path) -> list[dict[str, float]]:
    """What ``train.jsonl`` says, but for the time it took."""
    entries = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    return [{k: v for k, v in entry.items() if k not in PACE} for entry in entries]


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


@pytest.fixture
def every_second_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "REPORT_EVERY_STEPS", 2)


@pytest.fixture(scope="module")
def num_calls(data: TrainingData) -> int:
    """Calls of the loss in one whole run: more than steps, for batches are split.

    One more comes before: the rehearsal of the largest part.
    """
    lens = [u.num_frames for u in data.utterances]
    batches = [
        batch
        for epoch in range(NUM_EPOCHS)
        for batch in loop.epoch_batches(lens, 4, 0.05, 1, epoch)
    ]
    return 1 + sum(len(split_by_frames([lens[i] for i in b], 200)) for b in batches)


def test_same_seed_same_bits(data: TrainingData, tmp_path: Path, every_second_step: None) -> None:
    for name in "ab":
        make_trainer(data, tmp_path / name).run()
    assert weights(tmp_path / "a") == weights(tmp_path / "b")
    assert journal(tmp_path / "a") == journal(tmp_path / "b")
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
    assert journal(tmp_path / "resumed") == journal(tmp_path / "through")
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
    assert journal(tmp_path / "resumed") == journal(tmp_path / "through")


def test_steps_after_the_last_checkpoint_are_done_and_told_again(
    data: TrainingData, tmp_path: Path, every_second_step: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """KilledError three steps after the last checkpoint, with lines in the journal since then."""
    make_trainer(data, tmp_path / "through").run()
    original, saved = loop.save_checkpoint, []

    def save_twice(*arguments: Any) -> None:
        if len(saved) < 2:
            saved.append(original(*arguments))

    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr(loop, "save_checkpoint", save_twice)
        make_trainer(data, tmp_path / "resumed", validate=kill_in_validation(2)).run()
    assert [e["step"] for e in journal(tmp_path / "resumed")] == [2, 3, 4, 6]
    make_trainer(data, tmp_path / "resumed").run()
    assert weights(tmp_path / "resumed") == weights(tmp_path / "through")
    assert journal(tmp_path / "resumed") == journal(tmp_path / "through")


def kill_in_validation(number: int) -> Callable[[], dict[str, float]]:
    calls = 0

    def validate() -> dict[str, float]:
        nonlocal calls
        calls += 1
        if calls == number:
            raise KilledError
        return {}

    return validate


def scores(*values: float) -> Callable[[], dict[str, float]]:
    """A validation metric epoch by epoch."""
    remaining = iter(values)
    return lambda: {"valid_ua": next(remaining)}


def run_for_epochs(data: TrainingData, folder: Path, epochs: int) -> dict[str, torch.Tensor]:
    """The weights after so many epochs, by a run of that length (at a constant rate)."""
    training = RESTLESS.model_copy(update={"max_epochs": epochs})
    make_trainer(data, folder, training).run()
    return load_weights(folder / "model.safetensors")


@pytest.mark.parametrize(
    ("values", "higher", "best"),
    [
        ((0.5, 0.7, 0.6), True, 2),
        ((0.5, 0.7, 0.6), False, 1),
        ((0.7, 0.5, 0.5), False, 2),  # of equal ones the first
        ((0.1, 0.2, 0.3), True, 3),
    ],
)
def test_selection_keeps_the_best_epoch(
    data: TrainingData, tmp_path: Path, values: tuple[float, ...], higher: bool, best: int
) -> None:
    selection = Selection("valid_ua", higher_is_better=higher, keep_best=True)
    run = tmp_path / "run"
    make_trainer(data, run, validate=scores(*values), selection=selection).run()
    kept = load_weights(run / "model.safetensors")
    for epochs in range(1, NUM_EPOCHS + 1):
        expected = run_for_epochs(data, tmp_path / str(epochs), epochs)
        same = all(torch.equal(kept[name], expected[name]) for name in expected)
        assert same == (epochs == best)
    assert [e["valid_ua"] for e in journal(run) if e["scope"] == "epoch"] == list(values)


def test_without_selection_the_last_weights_are_kept(data: TrainingData, tmp_path: Path) -> None:
    run = tmp_path / "run"
    make_trainer(data, run, validate=scores(0.9, 0.5, 0.4)).run()
    kept, last = load_weights(run / "model.safetensors"), run_for_epochs(data, tmp_path / "x", 3)
    assert all(torch.equal(kept[name], last[name]) for name in last)


def test_selection_survives_an_interruption(
    data: TrainingData, tmp_path: Path, num_calls: int
) -> None:
    """The best epoch lies before the kill; the value of its validation is not asked again."""
    best = Selection("valid_ua", higher_is_better=True, keep_best=True)
    through, resumed = tmp_path / "through", tmp_path / "resumed"
    make_trainer(data, through, validate=scores(0.9, 0.5, 0.6), selection=best).run()
    options = {"validate": scores(0.9, 0.5), "selection": best}
    with pytest.raises(KilledError):
        make_trainer(data, resumed, change=kill_at(num_calls), **options).run()
    make_trainer(data, resumed, validate=scores(0.6), selection=best).run()
    assert weights(resumed) == weights(through)
    assert journal(resumed) == journal(through)


def test_validation_sees_the_model_without_dropout(data: TrainingData, tmp_path: Path) -> None:
    modes = []

    def validate() -> dict[str, float]:
        modes.append((trainer.model.training, torch.is_grad_enabled()))
        return {}

    trainer = make_trainer(data, tmp_path, validate=validate)
    trainer.run()
    assert modes == [(False, False)] * NUM_EPOCHS


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
    a, b = (journal(tmp_path / str(limit))[-1] for limit in (10**6, 150))
    assert a.pop("scope") == b.pop("scope") == "epoch"
    assert a == pytest.approx(b, rel=1e-5)


def test_journal_holds_means_over_utterances(data: TrainingData, tmp_path: Path) -> None:
    """Eq. (8) in the numbers told; the last batch is smaller and weighs less."""
    training = training_config(batch_size_utts=4, max_epochs=1)
    recorded: list[Loss] = []
    make_trainer(
        data, tmp_path, training, change=lambda _, loss: recorded.append(loss) or loss
    ).run()
    recorded = recorded[1:]  # the first was the rehearsal
    (entry,) = journal(tmp_path)
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

    batch = loop.epoch_batches([u.num_frames for u in data.utterances], 4, 0.05, 1, 0)[1]
    with pytest.raises(SerError, match="expected finite numbers") as caught:
        make_trainer(data, tmp_path, training, change=spoil).run()
    message = str(caught.value)
    assert message.startswith(f"{tmp_path}: loss {value:g}")
    assert "at step 1;" in message
    named = message.partition("the utterances: ")[2].split()
    assert sorted(named) == sorted(data.utterances[i].utt for i in batch)
    assert not (tmp_path / "model.safetensors").exists()


def test_gradient_that_is_not_finite_stops(data: TrainingData, tmp_path: Path) -> None:
    trainer = make_trainer(data, tmp_path)
    trainer.model.emotion_head.weight.register_hook(lambda grad: grad * math.inf)
    before = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    with pytest.raises(SerError, match=r"gradient norm (inf|nan) at step 0"):
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

    def compute_loss(network: nn.Module, batch: Batch) -> Loss:
        output = network(batch.feats, batch.feat_lens)
        return multitask_loss(output.emotion_logits, batch.labels, None, 0.0)

    training = training_config(precision="bfloat16", max_epochs=1)
    Trainer(
        model, compute_loss, data, training, optimizer_config(), tmp_path, seed=1, world=ALONE
    ).run()
    assert math.isfinite(journal(tmp_path)[-1]["loss"])


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
        losses.append(journal(folder)[-1]["loss"])
    assert losses[0] != losses[1]


def signal_at(number: int) -> Callable[[int, Loss], Loss]:
    def change(call: int, loss: Loss) -> Loss:
        if call == number:
            os.kill(os.getpid(), signal.SIGTERM)
        return loss

    return change


@pytest.mark.parametrize("call", [2, 5, 9])
def test_sigterm_writes_a_checkpoint_and_leaves(
    data: TrainingData, tmp_path: Path, every_second_step: None, call: int
) -> None:
    """The step under way is finished; the rerun ends in the same bits."""
    rare = RESTLESS.model_copy(update={"checkpoint_minutes": 60.0})
    make_trainer(data, tmp_path / "through", rare).run()
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(StoppedError, match=r"stopped after step (\d) of 9 \(SIGTERM\).*rerun"):
        make_trainer(data, tmp_path / "resumed", rare, change=signal_at(call)).run()
    assert signal.getsignal(signal.SIGTERM) is before
    assert not (tmp_path / "resumed" / "model.safetensors").exists()
    make_trainer(data, tmp_path / "resumed", rare).run()
    assert weights(tmp_path / "resumed") == weights(tmp_path / "through")
    assert journal(tmp_path / "resumed") == journal(tmp_path / "through")


def test_the_time_is_up(data: TrainingData, tmp_path: Path) -> None:
    """With no time at all each call makes one step, and the last ends the run."""
    make_trainer(data, tmp_path / "through").run()
    stopped = 0
    while not (tmp_path / "resumed" / "model.safetensors").exists():
        try:
            make_trainer(data, tmp_path / "resumed", deadline=time.monotonic() - 1).run()
        except StoppedError as error:
            stopped += 1
            assert f"stopped after step {stopped} of 9 (its time is up)" in str(error)
    assert stopped == NUM_EPOCHS * STEPS_PER_EPOCH
    assert weights(tmp_path / "resumed") == weights(tmp_path / "through")


def test_checkpoints_come_every_so_many_steps(data: TrainingData, tmp_path: Path) -> None:
    often = RESTLESS.model_copy(update={"checkpoint_minutes": 60.0, "checkpoint_steps": 2})
    with pytest.raises(KilledError):
        make_trainer(data, tmp_path, often, validate=kill_in_validation(2)).run()
    stored = json.loads((tmp_path / "checkpoint" / "progress.json").read_text())
    assert (stored["progress"]["step"], stored["progress"]["step_in_epoch"]) == (6, 3)


@pytest.mark.parametrize(
    ("values", "keep_best", "epochs"),
    [
        ((0.5, 0.7, 0.6), True, (2, 3)),
        ((0.7, 0.5, 0.6), True, (1, 3)),
        ((0.7, 0.6, 0.1), True, (1, 2)),
        ((0.7, 0.6, 0.1), False, (2, 3)),
        (None, False, (2, 3)),
    ],
)
def test_average_of_the_best_or_the_last_epochs(
    data: TrainingData,
    tmp_path: Path,
    num_calls: int,
    values: tuple[float, ...] | None,
    keep_best: bool,
    epochs: tuple[int, int],
) -> None:
    """Also when the run was killed in its last epoch, with weights of the first two kept."""
    training = RESTLESS.model_copy(update={"average_epochs": 2})
    options: dict[str, Any] = {}
    if values:
        options["selection"] = Selection("valid_ua", higher_is_better=True, keep_best=keep_best)
        options["validate"] = scores(*values)
    for call in (num_calls, 0):
        run = tmp_path / "run"
        if call:
            with pytest.raises(KilledError):
                make_trainer(data, run, training, change=kill_at(call), **options).run()
        else:
            make_trainer(data, run, training, **options).run()
    singles = [run_for_epochs(data, tmp_path / str(n), n) for n in epochs]
    kept = load_weights(run / "model.safetensors")
    for name, tensor in kept.items():
        mean = (singles[0][name].double() + singles[1][name].double()) / 2
        assert torch.equal(tensor, mean.float()), name


@pytest.mark.parametrize(
    ("values", "patience", "last"),
    [
        ((0.5, 0.4, 0.3), 1, 2),
        ((0.5, 0.6, 0.3), 1, 3),
        ((0.5, 0.5, 0.6), 1, 2),  # as good as before is no better
        ((0.5, 0.4, 0.3), 2, 3),
    ],
)
def test_patience_ends_a_run_that_no_longer_gets_better(
    data: TrainingData, tmp_path: Path, values: tuple[float, ...], patience: int, last: int
) -> None:
    training = RESTLESS.model_copy(update={"patience_epochs": patience})
    selection = Selection("valid_ua", higher_is_better=True, keep_best=False)
    notes = make_trainer(
        data, tmp_path, training, selection=selection, validate=scores(*values)
    ).run()
    assert notes["num_epochs"] == last
    assert [e["epoch"] for e in journal(tmp_path) if e["scope"] == "epoch"] == [*range(1, last + 1)]


def test_a_full_memory_is_found_before_the_first_step(data: TrainingData, tmp_path: Path) -> None:
    """The longest utterances are tried first; the message names the key."""

    def full(call: int, loss: Loss) -> Loss:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    said = (
        r"training\.max_frames_in_memory 200: a part of 1 utterances of up to 110 frames does not"
    )
    with pytest.raises(SerError, match=said):
        make_trainer(data, tmp_path, change=full).run()
    assert not (tmp_path / "train.jsonl").exists()


def test_rehearsal_leaves_no_trace(data: TrainingData, tmp_path: Path) -> None:
    trainer = make_trainer(data, tmp_path)
    before = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    trainer.stepper.rehearse(next(iter(loop.load_batches(data.utterances, data.feats, [[0, 1]]))))
    after = trainer.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(p.grad is None for p in trainer.model.parameters())


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
