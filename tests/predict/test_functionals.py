"""The comparison without a network: its cost is chosen without the test part, and it is scored."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import soundfile
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from tiny import FBANK, reseal, tsv_rows, write_config
from tiny_recipe import CONF, EXP, FEATS, LABELS, finetune_run

from ser.base.errors import SerError
from ser.base.record import Record, read_record, require
from ser.config.baselines import FunctionalsConfig
from ser.kaldi.data_dir import read_data_dir
from ser.kaldi.table import write_table
from ser.predict import folds, functionals
from ser.predict.folds import predict_all
from ser.predict.linear import MakeModel, best_cost, logistic, svm
from ser.predict.prediction import table_digest
from ser.score.predictions.experiment import check_runs

NAME = "egemaps_svm"
CONFIG = FunctionalsConfig(functionals="eGeMAPSv02", costs=[1e-3, 1e-1], num_cost_folds=2)


@pytest.fixture(autouse=True)
def recipe_here(recipe: Path) -> Path:
    write_config(CONF / "baselines" / f"{NAME}.yaml", CONFIG)
    return recipe


def rows_of(fold: str) -> list[dict[str, str]]:
    return tsv_rows((EXP / "predictions" / NAME / f"seed1_fold{fold}.tsv").read_text())


def plant(monkeypatch: pytest.MonkeyPatch, stop_before: int | None = None) -> list[int]:
    """Functionals that tell the emotion; counts how often they are computed."""
    calls: list[int] = []
    emotions = read_data_dir(FEATS / "ser")["utt2emo"]

    def compute(wavs: dict[str, str], name: str) -> Iterator[tuple[str, Any]]:
        calls.append(len(wavs))
        rng = np.random.default_rng(0)
        centres = {label: rng.normal(size=20) * 3 for label in LABELS.names}
        for number, utt in enumerate(wavs):
            if number == stop_before:
                raise KeyboardInterrupt
            yield utt, (centres[emotions[utt]] + rng.normal(size=20)).astype(np.float32)

    monkeypatch.setattr(functionals, "_functionals", compute)
    return calls


def test_what_the_functionals_tell_is_predicted(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = plant(monkeypatch)
    predict_all([finetune_run(NAME, fold=fold) for fold in "123"])
    assert calls == [24]  # once for all folds
    rows = [row for fold in "123" for row in rows_of(fold)]
    assert len({row["utt"] for row in rows}) == 24
    assert np.mean([row["hyp"] == row["ref"] for row in rows]) > 0.9
    for row in rows:
        posteriors = {name: float(row[f"post_{name}"]) for name in LABELS.names}
        assert sum(posteriors.values()) == pytest.approx(1, abs=5e-6)
        assert row["hyp"] == max(posteriors, key=lambda name: posteriors[name])
    predict_all([finetune_run(NAME, fold="1")])
    assert calls == [24]


def test_functionals_are_computed_once_and_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    run = finetune_run(NAME, fold="1")
    assert plant(monkeypatch, stop_before=10) == []
    with pytest.raises(KeyboardInterrupt):
        predict_all([run])
    assert not (EXP / NAME).exists()
    calls = plant(monkeypatch)
    predict_all([run])
    assert calls == [24 - 9]  # what was written last may be cut
    for changes in ({"costs": [1]}, {"speaker_prior": 2.0}):
        write_config(CONF / "baselines" / f"{NAME}.yaml", CONFIG.model_copy(update=changes))
        predict_all([run])
    assert calls == [24 - 9]


def test_a_table_of_other_folds_is_written_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    predict_all([finetune_run(NAME, fold="1")])
    path = EXP / "predictions" / NAME / "seed1_fold1.tsv"
    now = path.read_text()
    others = re.sub(r"fold1@\w+", "fold1@0123456789abcdef", now)
    path.write_text(others)
    source = EXP / NAME
    digest = table_digest(path, source, read_record(source)["identity"])
    path.with_suffix(".sha256").write_text(digest)
    predict_all([finetune_run(NAME, fold="1")])
    assert path.read_text() == now != others


def test_a_later_call_keeps_a_baseline_until_its_features_are_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plant(monkeypatch)
    write_config(CONF / "baselines" / "other_svm.yaml", CONFIG.model_copy(update={"costs": [1]}))
    runs = [finetune_run(name, fold="1") for name in (NAME, "other_svm")]
    for run in runs:
        predict_all([run])
    predictions = EXP / "predictions"
    require(predictions, 5)
    check_runs(predictions, [run.folder for run in runs])
    Record(FEATS / "ser", 1, FBANK.model_dump() | {"other": "audio"}, {}).finish()
    with pytest.raises(SerError, match=rf"{EXP}/{NAME}: made from another .*--stage 5"):
        require(predictions, 5)
    predict_all(runs[1:])
    require(predictions, 5)
    with pytest.raises(SerError, match=rf"{EXP}/{NAME}/seed1/fold1: not among the runs"):
        check_runs(predictions, [runs[0].folder])


def test_a_killed_call_keeps_what_is_known_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    costs = CONFIG.model_copy(update={"costs": [1], "speaker_prior": 2.0})
    write_config(CONF / "baselines" / "other_svm.yaml", costs)
    runs = [finetune_run(name, fold="1") for name in (NAME, "other_svm")]
    predict_all(runs)
    predictions = EXP / "predictions"
    (predictions / NAME / "seed1_fold1.tsv").unlink()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(folds, "_write_table", Mock(side_effect=KeyboardInterrupt))
        predict_all(runs[:1])
    check_runs(predictions, [runs[1].folder])
    assert require(predictions, 5)["notes"]["speaker_prior"] == {"other_svm": 2.0}
    with pytest.raises(SerError, match=rf"{EXP}/{NAME}/seed1/fold1: not among the runs"):
        check_runs(predictions, [runs[0].folder])
    predict_all(runs[:1])
    check_runs(predictions, [run.folder for run in runs])


def test_the_test_part_plays_no_part_in_the_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other labels in the test part, the same predictions."""
    plant(monkeypatch)
    predict_all([finetune_run(NAME, fold="1")])
    before = [row["hyp"] for row in rows_of("1")]
    table = read_data_dir(FEATS / "ser")["utt2emo"]
    for utt in [row["utt"] for row in rows_of("1")]:
        table[utt] = "ang"
    write_table(FEATS / "ser" / "utt2emo", table)
    reseal(FEATS / "ser")
    (EXP / "predictions" / NAME / "seed1_fold1.tsv").unlink()
    predict_all([finetune_run(NAME, fold="1")])
    assert [row["hyp"] for row in rows_of("1")] == before
    assert {row["ref"] for row in rows_of("1")} == {"ang"}


@pytest.mark.parametrize("make", [svm, logistic])
def test_the_cost_is_the_best_on_speakers_held_out(make: MakeModel) -> None:
    """Held out by this test too, classifier by classifier."""
    rng = np.random.default_rng(1)
    wanted = np.tile([0, 1], 30)
    speakers = [f"s{i // 10}" for i in range(60)]
    values = rng.normal(size=(60, 40)) * rng.uniform(0.1, 10, 40) + 0.3 * wanted[:, None]
    costs = [1e-5, 1e-3, 1e-1, 10.0]
    scores = dict.fromkeys(costs, 0)
    for cost in costs:
        for train, out in GroupKFold(CONFIG.num_cost_folds).split(values, wanted, speakers):
            model = make(cost, values[train].shape).fit(values[train], wanted[train])
            scores[cost] += int((model.predict(values[out]) == wanted[out]).sum())
    assert len(set(scores.values())) > 1
    chosen = max(costs, key=lambda cost: (scores[cost], -cost))  # of equals the smallest
    for order in (costs, costs[::-1]):
        config = CONFIG.model_copy(update={"costs": order})
        assert best_cost(values, wanted, speakers, config, make, "a") == chosen
    assert best_cost(values, wanted, ["one"] * 60, CONFIG, make, "a") == CONFIG.costs[0]
    of_one_class_each = [f"s{label}" for label in wanted]
    assert best_cost(values, wanted, of_one_class_each, CONFIG, make, "a") == CONFIG.costs[0]


@pytest.mark.parametrize("make", [svm, logistic])
def test_speakers_are_on_one_side_of_every_division(
    make: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who speaks tells the emotion within the training speakers, and of others nothing."""
    rng = np.random.default_rng(0)
    speakers = np.repeat(np.arange(12), 20)
    wanted = np.tile([0, 1], 120)
    tells = np.where(wanted == 1, 1.0, -1.0) * rng.choice([-1, 1], 12)[speakers]
    who = np.eye(12)[speakers] * 8.0
    values = np.hstack([who * tells[:, None], rng.normal(size=(240, 40))])
    sides: list[tuple[set[int], set[int]]] = []
    split = GroupKFold.split

    def note(self: GroupKFold, x: Any, y: Any = None, groups: Any = None) -> Any:
        for train, test in split(self, x, y, groups):
            sides.append((set(speakers[train]), set(speakers[test])))
            yield train, test

    monkeypatch.setattr(GroupKFold, "split", note)
    best_cost(values, wanted, list(map(str, speakers)), CONFIG, make, "a")
    assert len(sides) == CONFIG.num_cost_folds
    assert all(train and test and not train & test for train, test in sides)


@pytest.mark.parametrize(("right_at", "chosen"), [(1e-3, 1e-3), (1e-1, 1e-1)])
def test_the_chosen_cost_is_the_better_one(right_at: float, chosen: float) -> None:
    """Of a classifier that is right at one cost alone."""

    class Known(BaseEstimator, ClassifierMixin):
        def __init__(self, is_right: bool = True) -> None:
            self.is_right = is_right

        def fit(self, x: Any, y: Any) -> "Known":
            self.classes_ = np.unique(y)
            return self

        def predict(self, x: Any) -> Any:
            truth = (x[:, 0] > 0).astype(int)
            return truth if self.is_right else 1 - truth

    def make(cost: float, shape: tuple[int, ...]) -> Any:
        return make_pipeline(FunctionTransformer(), Known(cost == right_at))

    wanted = np.tile([0, 1], 30)
    values = np.where(wanted == 1, 1.0, -1.0)[:, None]
    speakers = [f"s{i // 10}" for i in range(60)]
    assert best_cost(values, wanted, speakers, CONFIG, make, "a") == chosen


def test_without_opensmile_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opensmile", None)
    with pytest.raises(SerError, match=r"eGeMAPSv02: opensmile is not installed; .*--systems"):
        predict_all([finetune_run(NAME)])
    assert not (EXP / NAME).exists()


def test_opensmile_itself(tmp_path: Path) -> None:
    pytest.importorskip("opensmile", reason="opensmile is not installed (research licence)")
    wavs = {}
    for name, hertz in (("low", 110), ("high", 220)):
        time = np.arange(16000) / 16000
        wavs[name] = str(tmp_path / f"{name}.wav")
        harmonics = sum(np.sin(2 * np.pi * hertz * k * time) / k for k in range(1, 9))
        soundfile.write(wavs[name], 0.1 * harmonics, 16000)
    values = dict(functionals._functionals(wavs, "eGeMAPSv02"))
    assert {v.shape for v in values.values()} == {(88,)}
    # the first functional is the mean pitch, in semitones above 27.5 Hz
    assert values["high"][0] - values["low"][0] == pytest.approx(12, abs=0.5)
