"""The control that trains no network: an encoder as it is, and logistic regression."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from tiny import write_config
from tiny_recipe import CONF, EXP, finetune_run

from ser.base.errors import SerError
from ser.base.record import read_record
from ser.config.baselines import ProbeConfig
from ser.predict.folds import predict_all
from ser.predict.linear import logistic

NAME = "probe"
CONFIG = ProbeConfig(probe_of="ctc", costs=[1e-2, 1.0], num_cost_folds=2)


@pytest.fixture(autouse=True)
def recipe_here(recipe: Path) -> Path:
    write_config(CONF / "baselines" / f"{NAME}.yaml", CONFIG)
    return recipe


def table(seed: int, fold: str) -> str:
    return (EXP / "predictions" / NAME / f"seed{seed}_fold{fold}.tsv").read_text()


def test_it_hears_what_the_tiny_speech_tells() -> None:
    """A band that is modulated tells the emotion; chance is a quarter."""
    predict_all([finetune_run(NAME, fold=fold) for fold in "123"])
    rows = [line.split("\t") for fold in "123" for line in table(1, fold).splitlines()[1:]]
    assert len(rows) == 24
    assert sum(row[4] == row[5] for row in rows) >= 12
    for row in rows:
        assert sum(map(float, row[6:10])) == pytest.approx(1, abs=1e-4)
    record = read_record(EXP / NAME)
    assert str(EXP / "encoded" / "ctc.mean_sd" / "ser") in record["inputs"]


def test_no_seed_plays_a_part() -> None:
    predict_all([finetune_run(NAME, fold="1", seed=seed) for seed in (1, 2)])
    assert table(1, "1") == table(2, "1")


def test_without_the_encoder_it_says_what_to_run() -> None:
    write_config(CONF / "baselines" / f"{NAME}.yaml", CONFIG.model_copy(update={"probe_of": "no"}))
    with pytest.raises(SerError, match=r"pretrain/no\.yaml: no such encoder; expected one of ctc"):
        predict_all([finetune_run(NAME)])


def test_the_basis_changes_no_probability() -> None:
    rng = np.random.default_rng(0)
    wanted = np.tile([0, 1, 2], 20)
    values = rng.normal(size=(60, 300)) + 0.3 * wanted[:, None]
    model = logistic(0.1, values.shape)
    shares = model.fit(values, wanted).predict_proba(values)
    plain = clone(model).set_params(pca="passthrough", logisticregression__tol=1e-8)
    assert np.abs(plain.fit(values, wanted).predict_proba(values) - shares).max() < 1e-3


@pytest.mark.parametrize(("num_utts", "has_basis"), [(150, True), (151, False), (400, False)])
def test_many_vectors_need_no_basis(num_utts: int, has_basis: bool) -> None:
    assert ("pca" in logistic(0.1, (num_utts, 300)).named_steps) is has_basis
