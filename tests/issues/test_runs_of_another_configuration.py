"""Runs that were made with another configuration than the one that is there now."""

import json
from pathlib import Path

import pytest
import yaml
from after_stage_0 import SCRATCH, check, write_data

from ser.base.record import Record, read_record
from ser.config.features import load_features
from ser.config.systems import load_system


@pytest.mark.usefixtures("bare_recipe")
def test_runs_of_another_configuration() -> None:
    """They would be refused in stage 4."""
    system = load_system(Path("conf"), "transformer").model_dump()
    for fold in ("1", "anna.b"):
        folder = Path("exp/transformer/seed1") / f"fold{fold}"
        (folder / "head").mkdir(parents=True)
        (folder / "head" / "train.jsonl").touch()  # of the classifier, which is trained first
        begun = {"identity": "a", "config": {"system": system}, "inputs": {}}
        (folder / "started.json").write_text(json.dumps(begun))
    assert check().status == 0
    system["training"]["max_epochs"] = 3
    begun = {"identity": "a", "config": {"system": system}, "inputs": {}}
    (folder / "started.json").write_text(json.dumps(begun))
    said = check()
    assert said.status == 1 and said.err.count("\n") == 1
    assert (
        "exp/transformer/seed1/foldanna.b: holds another run (system.training.max_epochs was 3"
        in (said.err)
    )
    labels = {"classes": {"ang": ["angry"]}, "exclude": [], "order": ["ang"]}
    begun["config"] = {"labels": labels}
    (folder / "started.json").write_text(json.dumps(begun))
    assert "foldanna.b: holds another run (labels.classes." in check().err
    assert check(SCRATCH, ".", 6, "", 0, "--force").status == 0
    assert check(stop=3).status == 0
    assert check("cnn_blstm_sa").status == check(folds="1").status == 0


@pytest.mark.usefixtures("bare_recipe")
def test_data_of_other_classes_that_runs_were_trained_on() -> None:
    """Stage 0 replaces them, whatever the experiment is called."""
    path = Path("conf/labels.yaml")
    labels = yaml.safe_load(path.read_text())
    write_data(["A"])
    first = next(iter(labels["classes"]))
    labels["classes"][first] = [*labels["classes"][first], "bored"]
    path.write_text(yaml.safe_dump(labels))
    words = SCRATCH, ".", 0, "", 0, "--exp-dir", "exp/bored"
    assert "warning" not in check(*words).err, "nothing was trained"
    for run in ("exp/paper/transformer/seed1/fold1", "exp/transformer/seed1/fold2"):
        Path(run).mkdir(parents=True)
        (Path(run) / "run.json").write_text("{}")
    said = check(*words)
    assert said.status == 0
    assert f"data/ser has (classes.{first} was" in said.err
    assert "what is trained under exp, exp/paper can be neither predicted" in said.err
    write_data(["A"])  # of the classes that are there now
    assert "data/ser has" not in check(*words).err
    Path("data/ser/run.json").write_text('{"cut')  # stage 0 writes another
    said = check(*words)
    assert said.status == 0 and "data/ser/run.json" in said.err


@pytest.mark.usefixtures("bare_recipe")
def test_runs_that_were_trained_on_another_corpus() -> None:
    """They are refused when stage 0 has replaced the data, before all is computed anew."""
    write_data(["A"])
    feats = Path("dump/fbank/ser")
    feats.mkdir(parents=True)
    config = load_features(Path("conf")).model_dump()
    made = Record(feats, 1, config, {"data/ser": read_record(Path("data/ser"))["identity"]})
    made.finish()
    folder = Path("exp/transformer/seed1/fold1")
    folder.mkdir(parents=True)
    (folder / "train.jsonl").touch()
    begun = {"identity": "a", "config": {}, "inputs": {str(feats): made.identity}}
    (folder / "started.json").write_text(json.dumps(begun))

    def told(*more: object, stage: int = 1) -> bool:
        said = check(SCRATCH, ".", 6, "", stage, *more).err
        return "fold1: holds another run (trained on another data/ser); --force moves" in said

    assert not told()
    write_data(["A", "B"])
    assert told(), "stage 1 will make other features"
    assert not told("--force")
    assert not told(stage=0), "which may put the data back"
    data = {"data/ser": read_record(Path("data/ser"))["identity"]}
    Record(feats, 1, config, data).finish()
    assert told(stage=4), "stage 1 made them"
    write_data(["A"])
    assert not told(), "the data are those of then: stage 1 makes the features of then"
