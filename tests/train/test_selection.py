"""Which weights a run leaves behind: the last, the best, an average; and when it gives up."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_training import (
    NUM_EPOCHS,
    RESTLESS,
    KilledError,
    kill_at,
    make_trainer,
    metrics_log,
    scores,
    weights,
)

from ser.nn.weights import load_weights
from ser.train.engine.selection import EpochWeights, Selection
from ser.train.training_data import TrainingData

pytestmark = pytest.mark.long
WeightsAfter = Callable[[int], dict[str, torch.Tensor]]


@pytest.fixture(scope="module")
def weights_after(data: TrainingData, tmp_path_factory: pytest.TempPathFactory) -> WeightsAfter:
    """The weights after so many epochs, by a run of that length (at a constant rate)."""

    @cache
    def run(epochs: int) -> dict[str, torch.Tensor]:
        folder = tmp_path_factory.mktemp(f"epochs{epochs}")
        make_trainer(data, folder, RESTLESS.model_copy(update={"max_epochs": epochs})).run()
        return load_weights(folder / "model.safetensors")

    return run


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
    weights_after: WeightsAfter,
    data: TrainingData,
    tmp_path: Path,
    values: tuple[float, ...],
    higher: bool,
    best: int,
) -> None:
    selection = Selection("valid_ua", higher_is_better=higher, keep_best=True)
    run = tmp_path / "run"
    make_trainer(data, run, validate=scores(*values), selection=selection).run()
    kept = load_weights(run / "model.safetensors")
    for epochs in range(1, NUM_EPOCHS + 1):
        expected = weights_after(epochs)
        same = all(torch.equal(kept[name], expected[name]) for name in expected)
        assert same == (epochs == best)
    assert [e["valid_ua"] for e in metrics_log(run) if e["scope"] == "epoch"] == list(values)


def test_without_selection_the_last_weights_are_kept(
    weights_after: WeightsAfter, data: TrainingData, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    make_trainer(data, run, validate=scores(0.9, 0.5, 0.4)).run()
    kept, last = load_weights(run / "model.safetensors"), weights_after(3)
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
    assert metrics_log(resumed) == metrics_log(through)


def test_validation_sees_the_model_without_dropout(data: TrainingData, tmp_path: Path) -> None:
    modes = []

    def validate() -> dict[str, float]:
        modes.append((trainer.model.training, torch.is_grad_enabled()))
        return {}

    trainer = make_trainer(data, tmp_path, validate=validate)
    trainer.run()
    assert modes == [(False, False)] * NUM_EPOCHS


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
    weights_after: WeightsAfter,
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
    singles = [weights_after(n) for n in epochs]
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
    assert [e["epoch"] for e in metrics_log(tmp_path) if e["scope"] == "epoch"] == [
        *range(1, last + 1)
    ]


def test_what_was_best_at_the_checkpoint_stays_until_the_next(tmp_path: Path) -> None:
    """A run that resumes on a GPU may score an epoch otherwise than before it was ended."""
    model = torch.nn.Linear(1, 1)
    kept = EpochWeights(tmp_path, 1)
    for epoch in range(3):
        torch.nn.init.constant_(model.weight, epoch)
        kept.add(model, [0.5, 0.6, 0.55][: epoch + 1], num_checkpointed=0)
    kept.add(model, [0.5, 0.6, 0.55, 0.601], num_checkpointed=3)
    kept.add(model, [0.5, 0.6, 0.55, 0.599], num_checkpointed=3)
    assert kept.average([0.5, 0.6, 0.55, 0.599])["weight"].item() == 1
    kept.add(model, [0.5, 0.6, 0.55, 0.599, 0.7], num_checkpointed=4)
    kept.add(model, [0.5, 0.6, 0.55, 0.599, 0.7, 0.1], num_checkpointed=5)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch5.safetensors"]
