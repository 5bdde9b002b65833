"""Run records: reruns are safe, and what is stale is noticed, however far up."""

import json
from pathlib import Path
from typing import Any

import pytest

from ser.base import record as record_module
from ser.base.errors import SerError
from ser.base.record import Record, first_difference, flatten, read_record, require

CONFIG = {"num_mel_bins": 80, "window": {"type": "povey", "size": 400}}


def make(folder: Path, stage: int, config: dict[str, Any], *inputs: Path) -> Record:
    """A finished folder, made from others."""
    folder.mkdir(parents=True, exist_ok=True)
    identities = {
        str(path): require(path, read_record(path)["stage"])["identity"] for path in inputs
    }
    record = Record(folder, stage, config, identities)
    record.finish()
    return record


def plant_recipes(root: Path, *names: str) -> None:
    for name in names:
        (root / name).mkdir()
        (root / name / "run.sh").touch()


def test_a_finished_record_comes_back(tmp_path: Path) -> None:
    record = Record(tmp_path, 1, CONFIG, {"in": "abc"})
    assert not record.is_finished()
    record.finish(num_utts=3)
    assert record.is_finished()
    found = require(tmp_path, 1)
    assert found["identity"] == record.identity
    assert (found["config"], found["inputs"]) == (CONFIG, {"in": "abc"})
    assert found["notes"] == {"num_utts": 3}
    assert {"git_commit", "versions", "command", "finished", "wall_seconds"} <= found.keys()
    assert {"torch", "python", "processor", "ser"} <= found["versions"].keys()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"identity": 3}'])
def test_a_record_that_was_cut_or_edited_is_none(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    record = Record(tmp_path, 1, CONFIG, {})
    record.finish()
    (tmp_path / "run.json").write_text(content)
    assert not record.is_finished()
    assert caplog.messages[0].startswith(f"warning: {tmp_path / 'run.json'}")
    record.finish()
    assert record.is_finished()


@pytest.mark.parametrize(
    ("config", "inputs"),
    [
        ({**CONFIG, "num_mel_bins": 40}, {"in": "abc"}),
        (CONFIG, {"in": "abd"}),
        (CONFIG, {"in": "abc", "more": "x"}),
    ],
)
def test_another_config_or_input_is_not_this_run(
    tmp_path: Path, config: dict[str, Any], inputs: dict[str, str]
) -> None:
    Record(tmp_path, 1, CONFIG, {"in": "abc"}).finish()
    assert not Record(tmp_path, 1, config, inputs).is_finished()


def test_the_commit_never_makes_a_run_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for commit in ("aaa", "bbb+changes", "unknown"):
        monkeypatch.setattr(record_module, "git_commit", lambda commit=commit: commit)
        monkeypatch.setattr(record_module, "versions", lambda commit=commit: {"torch": commit})
        record = make(tmp_path / "data", 0, CONFIG)
        if commit == "aaa":
            later = make(tmp_path / "feats", 1, CONFIG, tmp_path / "data")
        assert json.loads((tmp_path / "data" / "run.json").read_text())["git_commit"] == commit
        assert record.is_finished()
        assert later.is_finished()
        require(tmp_path / "feats", 1)


def test_require_names_the_stage_of_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SerError, match=r"no run\.json.*\./run\.sh --stage 2 --stop-stage 2"):
        require(tmp_path / "bpe", 2)
    (tmp_path / "bpe").mkdir()
    (tmp_path / "bpe" / "bpe.model").touch()  # without its record it is not whole
    with pytest.raises(SerError, match=r"no run\.json"):
        require(tmp_path / "bpe", 2)


def test_require_names_the_recipe_of_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant_recipes(tmp_path, "mine", "my other")
    monkeypatch.chdir(tmp_path / "mine")
    outside = r"run \./run\.sh --stage 0 --stop-stage 0 \(with the options of the experiment\)$"
    with pytest.raises(SerError, match=outside):  # of run.sh, which options those were is not known
        require(Path("data/ser"), 0)
    with pytest.raises(SerError, match=r"run cd '\.\./my other' && \./run\.sh --stop-stage 3$"):
        require(Path("../my other/exp/pretrain"), 3)
    monkeypatch.setenv("SER_RUN_OPTIONS", " --exp-dir exp/mine")
    with pytest.raises(SerError, match=r"--stage 0 --stop-stage 0 --exp-dir exp/mine$"):
        require(Path("data/ser"), 0)
    with pytest.raises(SerError, match=r"--stop-stage 3$"):  # the options are not the other's
        require(Path("../my other/exp/pretrain"), 3)


def test_the_inputs_of_another_recipe_are_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its records name them from its own folder: exp/bpe is not the exp/bpe of this one."""
    plant_recipes(tmp_path, "mine", "other")
    monkeypatch.chdir(tmp_path / "other")
    make(Path("exp/bpe"), 2, {"num_pieces": 200})
    make(Path("exp/pretrain"), 3, CONFIG, Path("exp/bpe"))
    monkeypatch.chdir(tmp_path / "mine")
    make(Path("exp/bpe"), 2, {"num_pieces": 100})
    require(Path("../other/exp/pretrain"), 3)
    monkeypatch.chdir(tmp_path / "other")
    make(Path("exp/bpe"), 2, {"num_pieces": 300})
    monkeypatch.chdir(tmp_path / "mine")
    with pytest.raises(
        SerError, match=r"made from another \.\./other/exp/bpe than .* run cd \.\./oth"
    ):
        require(Path("../other/exp/pretrain"), 3)


def test_stale_inputs_are_noticed_however_far_up(tmp_path: Path) -> None:
    data, feats, model = (tmp_path / name for name in ("data", "feats", "model"))
    make(data, 0, {"corpus": 1})
    make(feats, 1, CONFIG, data)
    make(model, 3, CONFIG, feats)
    require(model, 3)

    make(data, 0, {"corpus": 2})
    with pytest.raises(SerError, match=rf"{feats}: made from another {data} .*--stage 1"):
        require(feats, 1)
    with pytest.raises(SerError, match=rf"{feats}: made from another {data} .*--stage 1"):
        require(model, 3)  # two levels up; the stage to rerun is the one in between

    make(feats, 1, CONFIG, data)
    require(feats, 1)
    with pytest.raises(SerError, match=rf"{model}: made from another {feats} .*--stage 3"):
        require(model, 3)
    make(model, 3, CONFIG, feats)
    require(model, 3)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 2}}, "a.b was 1 and is 2"),
        ({"a": 1}, {"a": 1, "c": [2]}, "c was absent and is [2]"),
        ({"a": 1, "c": None}, {"a": 1}, "c was None and is absent"),
        ({"a": 1}, {"a": 1}, ""),
        ({"a": {}}, {}, "a was {} and is absent"),
        ({"a": {"checkpoint_minutes": 1.0}}, {"a": {"checkpoint_minutes": 2.0}}, ""),
    ],
)
def test_first_difference(old: dict[str, Any], new: dict[str, Any], said: str) -> None:
    assert first_difference(old, new) == said


def test_flatten() -> None:
    assert flatten({"a": {"b": 1, "c": {"d": [2]}}, "e": None}) == {
        "a.b": 1,
        "a.c.d": [2],
        "e": None,
    }
