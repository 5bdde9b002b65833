"""Settings compared on validation speakers: what is read, what it makes of it, what it refuses."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from programs import call
from scipy import stats

from ser.base.errors import SerError
from ser.base.record import Record
from ser.base.writing import write_json
from ser.kaldi.table import write_table
from ser.score.model_selection import compare_settings
from ser.score.report.document import Rows

FOLDS = ("1", "2", "3")
UA = {
    "slow": {"1": [0.2, 0.5], "2": [0.3, 0.4], "3": [0.4, 0.6]},
    "fast": {"1": [0.9, 0.6], "2": [0.3, 0.7], "3": [0.1, 0.55]},
}  # of each epoch


def write_runs(exp: Path, selection: str = "last", validation: str = "next_fold") -> None:
    folder = exp / "folds"
    folder.mkdir(parents=True)
    for fold in FOLDS:
        write_table(folder / f"fold{fold}", {"a": "train", "b": "valid", "c": "test"})
    Record(
        folder, 0, {"fold_unit": "speaker", "validation": validation, "selection": selection}, {}
    ).finish()
    for system, folds in UA.items():
        for fold, values in folds.items():
            run = exp / system / "seed1" / f"fold{fold}"
            run.mkdir(parents=True)
            epochs = [
                {"scope": "epoch", "epoch": i, "seconds": 60.0, "valid_ua": v, "valid_wa": v / 2}
                for i, v in enumerate(values, start=1)
            ]
            (run / "train.jsonl").write_text("".join(json.dumps(e) + "\n" for e in epochs))
            Record(run, 4, {}, {}).finish(train_seconds=60.0 * len(values) + 30)  # of a head first


def table(exp: Path, systems: Sequence[str] = ("slow", "fast")) -> Rows:
    found = compare_settings(exp, systems, ["1"], FOLDS)[0].table
    assert found is not None
    return found


def test_the_last_epoch_counts_and_differences_are_by_fold(tmp_path: Path) -> None:
    write_runs(tmp_path)
    header, slow, fast = table(tmp_path)
    assert header[-3:] == [f"fold {fold}: UA %" for fold in FOLDS]
    assert slow[0] == "slow" and slow[2:6] == ["—", "25.0", "2", "2.5"]
    assert slow[-3:] == ["50.0", "40.0", "60.0"]
    mean, low, high = (100 * x for x in _student([0.5, 0.4, 0.6]))
    assert slow[1] == f"{mean:.1f} [{low:.1f}, {high:.1f}]"
    mean, low, high = (100 * x for x in _student([0.1, 0.3, -0.05]))
    assert fast[2] == f"{mean:.1f} [{low:.1f}, {high:.1f}]"


def _student(values: Sequence[float]) -> tuple[float, float, float]:
    mean = sum(values) / len(values)
    low, high = stats.t.interval(0.95, len(values) - 1, mean, stats.sem(values))
    return mean, float(low), float(high)


def test_the_best_epoch_counts_where_the_protocol_keeps_it(tmp_path: Path) -> None:
    write_runs(tmp_path, selection="best_valid_ua")
    assert table(tmp_path)[2][-3:] == ["90.0", "70.0", "55.0"]


def test_each_fold_chooses_by_its_own_speakers(tmp_path: Path) -> None:
    write_runs(tmp_path)
    text = compare_settings(tmp_path, ["slow", "fast"], ["1"], FOLDS)[1].text
    assert "`fast` in 2, `slow` in 1 of 3" in text
    assert "The mean over the folds has also seen the test speakers" in text


def test_settings_that_are_alike_are_both_named(tmp_path: Path) -> None:
    write_runs(tmp_path)
    log = tmp_path / "slow" / "seed1" / "fold1" / "train.jsonl"
    log.write_text(log.read_text().replace("0.5", "0.6"))
    text = compare_settings(tmp_path, ["slow", "fast"], ["1"], ["1"])[1].text
    assert "chooses `slow` and `fast` (equal) in 1 of 1" in text


def test_what_the_protocol_shares_is_said(tmp_path: Path) -> None:
    def told(folder: str, **protocol: object) -> str:
        write_runs(tmp_path / folder)
        kept = {"fold_unit": "speaker", "validation": "next_fold", "selection": "last", **protocol}
        Record(tmp_path / folder / "folds", 0, kept, {}).finish()
        folds = FOLDS[:1] if kept["fold_unit"] == "parts" else FOLDS
        found = compare_settings(tmp_path / folder, ["slow", "fast"], ["1"], folds)
        return found[0].text + found[1].text

    assert "heard in training" not in told("apart")
    assert "heard in training too" in told("dependent", speaker_dependent=True)
    assert "heard in training too" in told("share", validation="random_share")
    parts = told("parts", fold_unit="parts", validation="parts", selection="best_valid_ua")
    assert "favours runs of many epochs" in parts and "has also seen" not in parts


def test_seeds_are_averaged(tmp_path: Path) -> None:
    write_runs(tmp_path)
    for fold in FOLDS:
        one, two = (tmp_path / "slow" / f"seed{seed}" / f"fold{fold}" for seed in "12")
        two.mkdir(parents=True)
        text = (one / "train.jsonl").read_text()
        (two / "train.jsonl").write_text(text.replace('"valid_ua": 0.5', '"valid_ua": 0.9'))
        Record(two, 4, {}, {}).finish(train_seconds=120.0)
    found = compare_settings(tmp_path, ["slow"], ["1", "2"], FOLDS)[0].table
    assert found is not None and found[1][-3:] == ["70.0", "40.0", "60.0"]


def test_a_single_fold_has_no_interval(tmp_path: Path) -> None:
    write_runs(tmp_path)
    found = compare_settings(tmp_path, ["slow", "fast"], ["1"], ["2"])[0].table
    assert found is not None and found[2][1:3] == ["70.0", "30.0"]


def test_nothing_is_chosen_without_validation_or_from_half_a_grid(tmp_path: Path) -> None:
    write_runs(tmp_path / "none", validation="none")
    with pytest.raises(SerError, match="a protocol with validation none; expected one whose"):
        table(tmp_path / "none")
    write_runs(tmp_path / "half")
    (tmp_path / "half" / "fast" / "seed1" / "fold2" / "run.json").unlink()
    with pytest.raises(SerError, match=r"half: no runs of fsat; expected .* trained here .*fast"):
        compare_settings(tmp_path / "half", ["slow", "fsat"], ["1"], ["1"])
    with pytest.raises(SerError, match="fast/seed1/fold2: not finished, as 1 of 6 runs"):
        table(tmp_path / "half")
    write_runs(tmp_path / "old")
    log = tmp_path / "old" / "slow" / "seed1" / "fold3" / "train.jsonl"
    log.write_text('{"scope": "epoch", "epoch": 1, "emotion_loss": 1.0}\n')
    with pytest.raises(SerError, match=r"fold3/train\.jsonl: an epoch without valid_wa"):
        table(tmp_path / "old")


def test_a_baseline_has_no_validation(tmp_path: Path) -> None:
    write_runs(tmp_path)
    (tmp_path / "svm").mkdir()
    (tmp_path / "svm" / "run.json").write_text("{}")
    with pytest.raises(SerError, match="svm: a baseline, which has no figures of validation"):
        compare_settings(tmp_path, ["slow", "svm"], ["1"], ["1", "2"])


def test_a_run_of_other_inputs_is_refused(tmp_path: Path) -> None:
    write_runs(tmp_path)
    run = tmp_path / "slow" / "seed1" / "fold1"
    record = json.loads((run / "run.json").read_text())
    write_json(run / "run.json", record | {"inputs": {str(tmp_path / "folds"): "another"}})
    with pytest.raises(SerError, match="made from another"):
        table(tmp_path)


def test_runs_of_one_name_and_two_configurations_are_refused(tmp_path: Path) -> None:
    write_runs(tmp_path)
    run = tmp_path / "fast" / "seed1" / "fold2"
    record = json.loads((run / "run.json").read_text())
    write_json(run / "run.json", record | {"config": {"system": {"learning_rate": 0.1}}})
    assert table(tmp_path, ["slow"])
    said = r"fold2: beside .*fold1 system.* is absent; expected runs that are made alike; run"
    with pytest.raises(SerError, match=said):
        table(tmp_path)


def test_the_program_prints_markdown(tmp_path: Path) -> None:
    write_runs(tmp_path)
    printed = call("choose", tmp_path, "--systems", "slow fast").out
    assert "| fast " in printed and "2 settings on the validation part of 3 folds" in printed
