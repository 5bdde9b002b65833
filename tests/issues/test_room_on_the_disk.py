"""A disk without room for what a stage writes is told before the stage."""

import json
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from after_stage_0 import check, write_data, write_folds
from programs import Said

from ser.config.systems import load_system

Usage = namedtuple("Usage", "total used free")


@pytest.mark.usefixtures("bare_recipe")
def test_a_disk_that_is_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    write_data(["SO IT IS"] * 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, 10**7))
    said = check(stage=1)
    assert said.status == 1
    assert "dump/fbank: 0.03 GB of features" in said.err and "0.01 GB are free" in said.err
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, 10**9))
    assert check(stage=1).status == 0


@pytest.mark.usefixtures("bare_recipe")
def test_a_disk_without_room_for_the_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three folds and two seeds; beside them two checkpoints and two epochs to be averaged."""
    write_data(["SO IT IS"])
    weights = load_system(Path("conf"), "transformer").model.num_weights
    needed = 4 * weights * (6 + 2 * (3 + 1))

    def said_with(free: int) -> Said:
        monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, free))
        return check("transformer", ".", 4, "", 4, "--seeds", "1 2")

    room = f"exp: {needed / 1e9:.2f} GB of models and checkpoints to write"
    assert room in said_with(needed - 1).err
    assert room not in said_with(needed).err


@pytest.mark.usefixtures("bare_recipe")
def test_folds_of_scene_groups_that_are_not_made_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of five folds in three groups of scenes: 15 runs, with a checkpoint or two beside them."""
    write_data(["SO IT IS"])
    write_folds({"num_folds": 5})
    weights = load_system(Path("conf"), "transformer").model.num_weights
    needed = 4 * weights * (15 + 2 * (3 + 1))
    path = Path("conf/protocol/paper.yaml")
    path.write_text(path.read_text() + "num_scene_groups: 3\n")
    for free in (needed - 1, needed):
        monkeypatch.setattr(shutil, "disk_usage", lambda path, free=free: Usage(0, 0, free))
        said = check("transformer", ".", 4, "", 4).err  # which also names the folds
        assert ("GB of models and checkpoints to write" in said) == (free < needed), said


@pytest.mark.usefixtures("bare_recipe")
def test_a_disk_without_room_for_what_a_frozen_encoder_gives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of 100 utterances at three speeds five statistics of four blocks, 384 floats each."""
    write_data(["SO IT IS"] * 100)
    needed = 3 * 100 * 5 * 4 * 384 * 4
    for free, is_told in ((needed - 1, True), (needed, False)):
        monkeypatch.setattr(shutil, "disk_usage", lambda path, free=free: Usage(0, 0, free))
        said = check("transformer_tl", ".", 4, "", 4, "--conf", "conf/whisper")
        room = "GB of what the frozen encoder of transformer_tl.yaml gives to write"
        assert (room in said.err) == is_told, said.err


@pytest.mark.usefixtures("bare_recipe")
def test_a_disk_without_room_for_the_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    write_data(["SO IT IS"])
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, 1000))
    words = "transformer_tl", ".", 3, "", 3
    assert "GB of models and checkpoints to write" in check(*words).err
    made = Path("exp/pretrain/ctc/model.safetensors")
    made.parent.mkdir(parents=True)
    made.touch()
    assert "GB of models and checkpoints to write" not in check(*words).err


@pytest.mark.usefixtures("bare_recipe")
def test_finished_runs_need_no_room_with_force(monkeypatch: pytest.MonkeyPatch) -> None:
    """They stay where they are of this configuration."""
    write_data(["SO IT IS"])
    for fold in "123":
        run = Path("exp/transformer/seed1") / f"fold{fold}"
        run.mkdir(parents=True)
        for name in ("model.safetensors", "train.jsonl"):
            (run / name).touch()
        system = load_system(Path("conf"), "transformer").model_dump()
        begun = {"identity": "a", "config": {"system": system}, "inputs": {}}
        (run / "started.json").write_text(json.dumps(begun))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, 1000))
    words = "transformer", ".", 4, "", 4, "--force"
    assert "GB of models" not in check(*words).err
    system["training"]["max_epochs"] = 3
    (run / "started.json").write_text(json.dumps(begun))
    assert "GB of models" in check(*words).err


@pytest.mark.usefixtures("bare_recipe")
def test_a_length_that_is_no_number() -> None:
    write_data(["SO IT IS"] * 2)
    table = Path("data/ser/utt2dur")
    table.write_text(table.read_text().replace("1.0", "abc", 1))
    said = check(stage=1)
    assert said.status == 1
    assert "data/ser: utt2dur was changed" in said.err and "Traceback" not in said.err
