"""The folder of a training run: gone on with, refused, moved aside."""

from pathlib import Path
from typing import Any

import pytest

from ser.base.errors import SerError
from ser.base.record import Record
from ser.train.training_folder import claim_training_folder

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


@pytest.mark.parametrize("name", ["train.jsonl", "checkpoint"])
def test_a_run_that_does_not_say_what_it_began_with_is_not_gone_on_with(
    tmp_path: Path, name: str
) -> None:
    record = Record(tmp_path / "run", 4, CONFIG, {})
    claim_training_folder(record, num_threads=2, force=False)
    (record.folder / name).touch()
    (record.folder / "started.json").unlink()
    with pytest.raises(SerError, match=r"no started.json\); --force moves it aside"):
        claim_training_folder(record, num_threads=2, force=False)
    assert claim_training_folder(record, num_threads=2, force=True)
    assert not (record.folder / name).exists()
