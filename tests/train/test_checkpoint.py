"""Checkpoints: whole, or refused with a clear error."""

import json
import multiprocessing
import os
import resource
import signal
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from ser.base.errors import SerError, run_program
from ser.base.files import digest_file
from ser.base.writing import recover_folder
from ser.nn.weights import load_weights, save_weights
from ser.train.engine.checkpoint import (
    Progress,
    load_checkpoint,
    save_checkpoint,
)

PROGRESS = Progress(
    epoch=3,
    step_in_epoch=2,
    step=17,
    sums={"loss": 1.1, "utts": 8},
    seconds=2.5,
    selection_score=[0.6, 0.5],
    log_bytes=123,
    num_processes=2,
    max_frames_in_memory=30000,
)


def parts(seed: int, steps: int) -> tuple[nn.Module, torch.optim.Adam]:
    torch.manual_seed(seed)
    model = nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(4, 3)).square().sum().backward()
        optimizer.step()
    return model, optimizer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_checkpoint(tmp_path / "checkpoint", *parts(1, steps=3), PROGRESS)
    return tmp_path / "checkpoint"


def test_how_a_run_goes_on_is_noted_and_told() -> None:
    progress = Progress(num_processes=2)  # of an earlier version
    assert progress.go_on(2, 30000) == progress.go_on(2, 30000) == ""
    assert progress.go_on(1, 3000) == (
        "by 2 processes, goes on with 1 and with max_frames_in_memory 30000, goes on with 3000"
    )
    assert progress.go_on(1, 3000) == ""


def test_restores_weights_optimiser_and_progress(tmp_path: Path) -> None:
    model, optimizer = parts(1, steps=3)
    save_checkpoint(tmp_path / "checkpoint", model, optimizer, PROGRESS)
    other, other_optimizer = parts(2, steps=1)
    assert load_checkpoint(tmp_path / "checkpoint", other, other_optimizer) == PROGRESS
    assert torch.equal(other.weight, model.weight)
    old, new = (o.state_dict()["state"][0] for o in (optimizer, other_optimizer))
    assert all(torch.equal(old[name], new[name]) for name in ("step", "exp_avg", "exp_avg_sq"))


def test_a_checkpoint_of_a_gpu_goes_on_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(torch.serialization, "location_tag", lambda _: "cuda:0")
        save_checkpoint(tmp_path / "checkpoint", *parts(1, steps=3), PROGRESS)
    assert load_checkpoint(tmp_path / "checkpoint", *parts(2, steps=1)) == PROGRESS


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o007, 0o660), (0o077, 0o600)])
def test_the_umask_says_who_reads_weights(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        save_weights(tmp_path / "model.safetensors", {"a": torch.ones(1)})
    finally:
        os.umask(before)
    assert (tmp_path / "model.safetensors").stat().st_mode & 0o777 == mode


def test_a_layout_in_memory_is_no_matter(tmp_path: Path) -> None:
    """A GPU's convolutions have their weights with the channels last."""

    def convolution(seed: int) -> tuple[nn.Module, torch.optim.Adam]:
        torch.manual_seed(seed)
        model = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
        optimizer = torch.optim.Adam(model.parameters())
        model(torch.randn(1, 3, 5, 5)).square().sum().backward()
        optimizer.step()
        return model, optimizer

    model, optimizer = convolution(1)
    assert not model.weight.is_contiguous()
    save_checkpoint(tmp_path / "checkpoint", model, optimizer, PROGRESS)
    other, other_optimizer = convolution(2)
    load_checkpoint(tmp_path / "checkpoint", other, other_optimizer)
    assert torch.equal(other.weight, model.weight)
    assert other.weight.is_contiguous(memory_format=torch.channels_last)
    old, new = (o.state_dict()["state"][0]["exp_avg"] for o in (optimizer, other_optimizer))
    assert torch.equal(old, new)


def test_without_a_checkpoint_nothing_changes(tmp_path: Path) -> None:
    model, optimizer = parts(1, steps=0)
    before = model.weight.clone()
    assert load_checkpoint(tmp_path / "checkpoint", model, optimizer) is None
    assert torch.equal(model.weight, before)


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.pt"])
@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
def test_damage_is_refused(folder: Path, name: str, damage: str) -> None:
    path = folder / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content if damage == "flipped" else content[: len(content) // 2])
    with pytest.raises(SerError, match="damaged") as caught:
        load_checkpoint(folder, *parts(2, steps=1))
    assert str(path) in str(caught.value)
    assert f"remove {folder}" in str(caught.value)


@pytest.mark.parametrize("text", ["", '{"progress": {"epo'])
def test_damaged_progress_is_refused(folder: Path, text: str) -> None:
    (folder / "progress.json").write_text(text)
    with pytest.raises(SerError, match=r"progress\.json"):
        load_checkpoint(folder, *parts(2, steps=1))


@pytest.mark.parametrize(("key", "value"), [("epoch", -1), ("unheard_of", 1)])
def test_what_is_wrong_with_the_progress_is_named(folder: Path, key: str, value: int) -> None:
    path = folder / "progress.json"
    stored = json.loads(path.read_text())
    stored["progress"][key] = value
    path.write_text(json.dumps(stored))
    with pytest.raises(
        SerError, match=rf"progress\.json: not the progress of a training \('{key}': "
    ):
        load_checkpoint(folder, *parts(2, steps=1))


def test_killed_while_replacing_the_previous_stays(folder: Path) -> None:
    """Between the two renames only ``.checkpoint.old`` is there, beside the next one."""
    folder.rename(folder.with_name(".checkpoint.old"))
    (folder.with_name(".checkpoint.partial")).mkdir()
    recover_folder(folder)
    assert load_checkpoint(folder, *parts(2, steps=1)) == PROGRESS


def test_killed_while_writing_the_previous_stays(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(torch, "save", fail)
        save_checkpoint(folder, *parts(2, steps=2), Progress(epoch=9))
    assert load_checkpoint(folder, *parts(2, steps=1)) == PROGRESS
    save_checkpoint(folder, *parts(2, steps=2), Progress(epoch=9))
    assert load_checkpoint(folder, *parts(3, steps=1)) == Progress(epoch=9)
    assert [p.name for p in folder.parent.glob("[!.]*")] == ["checkpoint"]


@pytest.mark.parametrize("content", [None, b"", b"not weights at all"])
def test_unreadable_weights_are_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "model.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SerError, match=r"model\.safetensors: no readable weights"):
        load_weights(path)


def test_a_checkpoint_of_another_model_is_refused(folder: Path) -> None:
    other = nn.Linear(3, 5)
    with pytest.raises(SerError, match=r"another model: bias is \(2,\), expected \(5,\)"):
        load_checkpoint(folder, other, torch.optim.Adam(other.parameters()))
    wrapped = nn.Sequential(nn.Linear(3, 2))
    with pytest.raises(SerError, match=r"another model: 0\.bias is missing"):
        load_checkpoint(folder, wrapped, torch.optim.Adam(wrapped.parameters()))


def save_on_a_full_disk(folder: Path, said: Path) -> None:
    """Files may grow to 400 kB: the weights, or of smaller ones the optimiser's state, do not."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
    for width in (300, 200):
        model = nn.Linear(400, width)
        optimizer = torch.optim.Adam(model.parameters())
        for parameter in model.parameters():  # no backward pass: a forked process may have none
            parameter.grad = torch.ones_like(parameter)
        optimizer.step()
        with said.open("a") as stream:
            try:
                run_program(partial(save_checkpoint, folder, model, optimizer, Progress()))
            except SystemExit as ended:
                print(ended.code, file=stream)


def test_a_full_disk_is_one_line_and_the_previous_checkpoint_stays(
    folder: Path, tmp_path: Path
) -> None:
    context = multiprocessing.get_context("fork")
    process = context.Process(target=save_on_a_full_disk, args=(folder, tmp_path / "said"))
    process.start()
    process.join()
    lines = (tmp_path / "said").read_text().splitlines()
    assert [Path(line.split(": ")[1]).name for line in lines] == [
        "model.safetensors",
        "optimizer.pt",
    ]
    for line in lines:
        assert line.startswith("error: ")
        assert str(folder) in line.replace(".partial", "").replace("/.", "/")
    assert load_checkpoint(folder, *parts(2, steps=1)) == PROGRESS


def test_a_checkpoint_of_version_0_1_0_is_read(folder: Path) -> None:
    path = folder / "progress.json"
    path.write_text(path.read_text().replace('"selection_score"', '"goodness"'))
    model, optimizer = parts(seed=1, steps=0)
    assert load_checkpoint(folder, model, optimizer) == PROGRESS


def test_moments_of_another_shape_are_refused(folder: Path) -> None:
    path = folder / "optimizer.pt"
    state = torch.load(path, weights_only=True)
    state["state"][0]["exp_avg"] = torch.zeros(5)
    torch.save(state, path)
    progress = json.loads((folder / "progress.json").read_text())
    progress["digests"][path.name] = digest_file(path)
    (folder / "progress.json").write_text(json.dumps(progress))
    with pytest.raises(SerError, match=r"optimizer\.pt: .*exp_avg is \(5,\), its parameter \("):
        load_checkpoint(folder, *parts(seed=1, steps=0))
