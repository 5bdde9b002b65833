"""Whole runs on the GPU: interrupted, predicted with, exported, too large, under torchrun."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from programs import start
from tiny import ark_reader, random_feats, training_config
from tiny_recipe import finetune_run, pretrain_run
from tiny_training import KilledError, kill_at, make_data, make_trainer, metrics_log, weights

from ser.base.errors import SerError
from ser.data.utterances import Utterance
from ser.infer.loading import load
from ser.nn.losses import Loss
from ser.release.export import export_torch
from ser.train.engine.distributed import Distributed
from ser.train.finetune import finetune
from ser.train.pretrain import pretrain
from ser.train.training_data import TrainingData

pytestmark = [pytest.mark.slow, pytest.mark.long]


@pytest.fixture
def deterministic() -> Iterator[None]:
    """What has no deterministic form is told as an error, but for CTC, which is left out."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def data(tmp_path: Path) -> TrainingData:
    (tmp_path / "feats").mkdir()
    return make_data(tmp_path / "feats")


def emotions_alone(call: int, loss: Loss) -> Loss:
    assert loss.emotion is not None
    return loss._replace(total=loss.emotion, ctc=None)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_stopped_and_resumed_is_the_same_to_the_bit(
    device: torch.device,
    data: TrainingData,
    tmp_path: Path,
    deterministic: None,
    num_workers: int,
) -> None:
    training = training_config(
        batch_size_utts=4,
        max_epochs=6,
        max_frames_in_memory=200,
        checkpoint_steps=3,
        num_loader_workers=num_workers,
    )

    def kill(call: int, loss: Loss) -> Loss:
        return kill_at(22)(call, emotions_alone(call, loss))

    def run(name: str, change: Callable[[int, Loss], Loss]) -> None:
        world = Distributed(0, 1, device)
        make_trainer(data, tmp_path / name, training, change=change, world=world).run()

    run("through", emotions_alone)
    with pytest.raises(KilledError):
        run("resumed", kill)
    run("resumed", emotions_alone)
    assert weights(tmp_path / "resumed") == weights(tmp_path / "through")
    assert metrics_log(tmp_path / "resumed") == metrics_log(tmp_path / "through")


def test_a_full_memory_is_told_before_the_first_epoch(device: torch.device, tmp_path: Path) -> None:
    if device.type == "cpu":
        pytest.skip("only of a GPU a share of the memory can be taken away")
    utterances = [Utterance(f"u{i}", 3000, [1, 2], label=0) for i in range(64)]
    feats = random_feats({u.utt: u.num_frames for u in utterances})
    (tmp_path / "feats").mkdir()
    data = TrainingData(utterances, ark_reader(tmp_path / "feats", feats), 10.0)
    training = training_config(batch_size_utts=64, max_frames_in_memory=10**6)
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction(64 * 2**20 / total, device)
    try:
        with pytest.raises(SerError, match=r"max_frames_in_memory: a micro-batch of 64 utt"):
            make_trainer(data, tmp_path / "run", training, world=Distributed(0, 1, device)).run()
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)
    assert not (tmp_path / "run" / "train.jsonl").exists()


def test_trained_predicted_with_and_exported(device: torch.device, recipe: Path) -> None:
    """Pre-training, fine-tuning and their validation; what comes out is the same on either side."""
    num_gpus = int(device.type == "cuda")
    pretrain(pretrain_run(num_gpus=num_gpus, force=True))
    run = finetune_run("transformer_tl_mtl", num_gpus=num_gpus)
    finetune(run)
    samples = (3000 * np.random.default_rng(0).normal(size=40000)).astype(np.int16)
    here = load(run.folder, device=str(device)).predict(samples, sample_rate=16000)
    model = load(run.folder)
    expected = model.predict(samples, sample_rate=16000)  # in windows
    assert here.posteriors == pytest.approx(expected.posteriors, abs=1e-3)
    assert here.words == expected.words

    soundfile.write("a.wav", samples, 16000)
    said = start("ser_predict", run.folder, "a.wav", "--device", device)
    assert said.status == 0, said.err
    assert expected.label in said.out

    export_torch(model, Path("model.pt2"), features_inside=True)
    exported = torch.export.load("model.pt2").module()
    given = torch.from_numpy(samples.astype(np.float32))[None], torch.tensor([len(samples)])
    posteriors = exported(*given)[0][0].tolist()
    whole = replace(model, longest_seconds=30.0).predict(samples, sample_rate=16000)
    assert posteriors == pytest.approx(list(whole.posteriors.values()), abs=1e-3)


def test_one_process_of_torchrun(device: torch.device) -> None:
    """NCCL comes up; the wrapped network has the gradient of the bare one."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "1"]
    script = Path(__file__).with_name("one_process.py")
    path = os.pathsep.join([str(script.parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, *torchrun, str(script), device.type],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    backend = "nccl" if device.type == "cuda" else "gloo"
    assert f"{backend}: equal" in done.stdout
