"""The folder of a training run: gone on with, refused, moved aside."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ser.base.errors import SerError
from ser.base.record import Record
from ser.train.engine.distributed import Distributed
from ser.train.training_folder import as_begun, claim_training_folder, train_in_folder

CONFIG = {"num_mel_bins": 80, "window": {"type": "povey", "size": 400}}


def test_claim_starts_resumes_and_returns(tmp_path: Path) -> None:
    record = Record(tmp_path / "run", 4, CONFIG, {"in": "abc"})
    assert claim_training_folder(record, num_threads=2, force=False) == 2  # from the start
    (tmp_path / "run" / "checkpoint").touch()
    assert claim_training_folder(record, num_threads=8, force=False) == 2  # goes on as it began
    assert claim_training_folder(
        record, num_threads=2, force=True
    )  # nothing differs, so nothing is moved
    assert (tmp_path / "run" / "checkpoint").exists()
    record.finish()
    assert claim_training_folder(record, num_threads=2, force=False) is None
    assert not claim_training_folder(record, num_threads=2, force=True)


@pytest.mark.parametrize("finished", [False, True])
@pytest.mark.parametrize(
    ("config", "inputs", "said"),
    [
        ({**CONFIG, "num_mel_bins": 40}, {"in": "abc"}, r"config\.num_mel_bins was 80 and is 40"),
        (CONFIG, {"in": "xyz"}, r"inputs\.in was abc and is xyz"),
    ],
)
def test_claim_refuses_another_run_or_moves_it_aside(
    tmp_path: Path, finished: bool, config: dict[str, Any], inputs: dict[str, str], said: str
) -> None:
    folder = tmp_path / "run"
    old = Record(folder, 4, CONFIG, {"in": "abc"})
    claim_training_folder(old, num_threads=2, force=False)
    (folder / "model").write_text("old")
    (folder / "train.jsonl").touch()
    if finished:
        old.finish()
    new = Record(folder, 4, config, inputs)
    with pytest.raises(SerError, match=rf"{said}.*--force"):
        claim_training_folder(new, num_threads=2, force=False)
    assert (folder / "model").read_text() == "old"

    assert claim_training_folder(new, num_threads=2, force=True)
    assert [p.name for p in folder.iterdir()] == ["started.json"]
    (aside,) = tmp_path.glob("run.*")
    assert (aside / "model").read_text() == "old"
    assert claim_training_folder(new, num_threads=2, force=False)


def test_claim_after_a_run_that_trained_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    claim_training_folder(Record(folder, 4, CONFIG, {}), num_threads=2, force=False)
    mended = Record(folder, 4, {**CONFIG, "num_mel_bins": 40}, {})
    assert claim_training_folder(mended, num_threads=2, force=False)


@pytest.mark.parametrize("name", ["train.jsonl", "checkpoint", "head/train.jsonl"])
def test_a_run_that_does_not_say_what_it_began_with_is_not_gone_on_with(
    tmp_path: Path, name: str
) -> None:
    record = Record(tmp_path / "run", 4, CONFIG, {})
    claim_training_folder(record, num_threads=2, force=False)
    (record.folder / name).parent.mkdir(exist_ok=True)
    (record.folder / name).touch()
    (record.folder / "started.json").unlink()
    with pytest.raises(SerError, match=r"no started.json\); --force moves it aside"):
        claim_training_folder(record, num_threads=2, force=False)
    assert claim_training_folder(record, num_threads=2, force=True)
    assert not (record.folder / name).exists()


def test_inputs_by_another_path_to_the_same_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    by_relative = Record(tmp_path / "run", 4, CONFIG, {"../ravdess/exp/bpe": "abc"})
    claim_training_folder(by_relative, num_threads=2, force=False)
    (by_relative.folder / "train.jsonl").touch()
    by_relative.finish()
    path = str(tmp_path.parent / "ravdess" / "exp" / "bpe")
    assert as_begun(replace(by_relative, inputs={path: "abc"})).is_finished()
    other = as_begun(replace(by_relative, inputs={path: "xyz"}))
    with pytest.raises(SerError, match=r"ravdess/exp/bpe was abc and is xyz"):
        claim_training_folder(other, num_threads=2, force=False)


class InductorError(RuntimeError):
    """As PyTorch's."""


InductorError.__module__ = "torch._inductor.exc"


def test_a_network_that_cannot_be_compiled(tmp_path: Path) -> None:
    def train(_: int) -> dict[str, Any]:
        raise InductorError("InvalidCxxCompiler: No working C++ compiler found\nat once")

    record = Record(tmp_path / "run", 4, CONFIG, {})
    alone = Distributed(0, 1, torch.device("cpu"))
    with pytest.raises(
        SerError, match=r"run: training\.compile: .*No working C\+\+ .*compile: false"
    ):
        train_in_folder(record, alone, 1, force=False, train=train)
