"""Two gloo processes do what one does: the same gradient, the same utterances, the same end."""

import os
import socket
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import (
    ALONE,
    cnn_blstm_sa_config,
    ctc_config,
    encoder_config,
    optimizer_config,
    system_config,
    training_config,
)
from tiny_training import NUM_UTTS, make_data, metrics_log
from torch import nn

from ser.config.labels import LabelsConfig
from ser.config.network import ReadoutConfig
from ser.config.schema import PretrainConfig
from ser.data.batch import Batch
from ser.data.sampler import shard_steps
from ser.nn.emotion import EmotionModel
from ser.nn.losses import Loss
from ser.nn.systems import build_recogniser, build_system
from ser.nn.weights import load_weights
from ser.train import finetune, pretrain
from ser.train.engine.distributed import Distributed, init_distributed
from ser.train.engine.loop import Trainer
from ser.train.engine.selection import Selection
from ser.train.finetune import emotion_loss
from ser.train.split import Split
from ser.train.standardise import standardise

ONE_STEP = {"batch_size_utts": NUM_UTTS, "max_epochs": 1, "max_frames_in_memory": 300}
THREE_EPOCHS = {"batch_size_utts": 5, "max_epochs": 3, "max_frames_in_memory": 200}


def train(world: Distributed, folder: Path, name: str, double: bool, **training: Any) -> None:
    """Trains a tiny system without dropout; the last gradient lies beside the weights."""
    torch.set_num_threads(1)
    torch.manual_seed(1)
    small = {"dropout_prob": 0.0}
    model_config = (
        cnn_blstm_sa_config(**small)
        if name == "cnn_blstm_sa"
        else encoder_config(**small, attention_dropout_prob=0.0)
    )
    system = system_config(name, model=model_config)
    model = build_system(system, 4, 6)
    if double:
        model.double()
    whole_loss = emotion_loss(system)

    def compute_loss(network: nn.Module, batch: Batch) -> Loss:
        return whole_loss(network, replace(batch, feats=batch.feats.double()) if double else batch)

    trainer = Trainer(
        model,
        compute_loss,
        make_data(folder / f"feats{world.rank}"),
        training_config(**training),
        optimizer_config(max_grad_norm=1e9, learning_rate=1e-3),
        folder,
        1,
        world,
        validate=lambda: {"valid_ua": 0.5},
        selection=Selection("valid_ua", higher_is_better=True, keep_best=False),
    )
    trainer.run()
    if world.is_first:
        torch.save({n: p.grad for n, p in model.named_parameters()}, folder / "gradient.pt")


pytestmark = pytest.mark.long
CASES: dict[str, tuple[str, bool, dict[str, int]]] = {
    "float32": ("transformer_tl_mtl", False, ONE_STEP),
    "float64": ("transformer_tl_mtl", True, ONE_STEP),
    "baseline": ("cnn_blstm_sa", True, ONE_STEP),
    "tail": ("transformer_tl_mtl", True, THREE_EPOCHS),
}


def train_cases(world: Distributed, folder: Path) -> None:
    for case, (name, double, training) in CASES.items():
        train(world, folder / case, name, double, **training)
    evaluate(world, folder)


def evaluate(world: Distributed, folder: Path) -> None:
    """What each process finds of utterances that are shared out: validation, and statistics."""
    torch.manual_seed(1)
    data = make_data(folder / f"evaluated{world.rank}")
    training = training_config(batch_size_utts=2, max_frames_in_memory=200)
    still = encoder_config(dropout_prob=0.0, attention_dropout_prob=0.0)
    system = system_config("transformer", model=still, training=training)
    model = build_system(system, 4, None).eval()
    names = LabelsConfig(classes={name: [name] for name in "abcd"}, exclude=[])
    split = Split(SimpleNamespace(feats=data.feats), [], data.utterances)
    with torch.inference_mode():
        found: dict[str, Any] = dict(finetune._validate(model, split, names, system, world))
        config = PretrainConfig(
            encoder=still,
            ctc=ctc_config(),
            optimizer=optimizer_config(),
            training=training,
            selection="last",
            allow_missing_subsets=False,
        )
        texts = {u.utt: f"A B {i}" for i, u in enumerate(data.utterances)}
        valid = SimpleNamespace(feats=data.feats, data={"text": texts})
        tokenizer = SimpleNamespace(decode=lambda tokens: " ".join("AB"[t % 2] for t in tokens))
        recogniser = build_recogniser(config, 6).eval()
        given = (recogniser, valid, data.utterances, tokenizer, config, world)
        found |= pretrain.validate(*given)
    pooled = EmotionModel(still, 4, None, ReadoutConfig(type="mean_sd"))
    standardise(pooled, data.utterances, data.feats, world, 200)
    found |= {"offset": pooled.readout.offset, "scale": pooled.readout.scale}
    torch.save(found, folder / f"evaluated{world.rank}.pt")


def in_process(rank: int, port: int, folder: Path) -> None:
    """What each of two processes does, with the environment that torchrun gives it."""
    os.environ |= {"MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    world = init_distributed(0)
    backend = torch.distributed.group.WORLD._get_backend(world.device)
    assert backend.options._timeout >= timedelta(days=1), "the first may encode 960 h of speech"
    train_cases(world, folder)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """All cases, by one process and by two."""
    alone, shared = tmp_path_factory.mktemp("alone"), tmp_path_factory.mktemp("shared")
    with socket.create_server(("localhost", 0)) as server:
        port = server.getsockname()[1]
    # A process whose autograd has threads for a GPU cannot be forked.
    method = "spawn" if torch.cuda.is_available() else "fork"
    torch.multiprocessing.start_processes(in_process, (port, shared), 2, start_method=method)
    train_cases(ALONE, alone)
    return alone, shared


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).norm() / b.norm().clamp(min=1e-30))


@pytest.mark.parametrize(
    ("case", "limit"), [("float32", 1e-5), ("float64", 1e-10), ("baseline", 1e-10)]
)
def test_two_processes_give_the_loss_and_gradient_of_one(
    trained: tuple[Path, Path], case: str, limit: float
) -> None:
    """The same global batch of eleven, in parts; one process has six of them, the other five."""
    alone, shared = (folder / case for folder in trained)
    expected, found = (
        torch.load(folder / "gradient.pt", weights_only=True) for folder in (alone, shared)
    )
    whole = torch.cat([g.flatten() for g in expected.values()])
    assert relative(torch.cat([g.flatten() for g in found.values()]), whole) <= limit
    for parameter, gradient in expected.items():
        difference = (found[parameter] - gradient).norm()
        assert difference <= limit * (gradient.norm() + 1e-3 * whole.norm()), parameter
    (one,), (two,) = metrics_log(alone), metrics_log(shared)
    assert two.pop("scope") == one.pop("scope") == "epoch"
    assert two == pytest.approx(one, rel=max(limit, 1e-6)), "the metrics log has six digits"


def test_processes_that_share_validation_out_find_what_one_finds(
    trained: tuple[Path, Path],
) -> None:
    """Both of them: each chooses epochs and stops by what it finds."""
    alone, shared = trained
    expected = torch.load(alone / "evaluated0.pt", weights_only=True)
    assert 0 < expected["valid_wa"] < 1 and expected["valid_wer"] > 0
    for rank in (0, 1):
        found = torch.load(shared / f"evaluated{rank}.pt", weights_only=True)
        for name, value in expected.items():
            wanted, got = torch.as_tensor(value), torch.as_tensor(found[name])
            assert torch.allclose(got.double(), wanted.double(), rtol=1e-5), (rank, name)


def test_a_tail_smaller_than_the_world_and_three_epochs(trained: tuple[Path, Path]) -> None:
    """Batches of five leave one utterance, on which one of the processes must wait."""
    alone, shared = (folder / "tail" for folder in trained)
    expected, found = (load_weights(f / "model.safetensors") for f in (alone, shared))
    assert max(relative(found[name], tensor) for name, tensor in expected.items()) < 1e-8
    for one, two in zip(metrics_log(alone), metrics_log(shared), strict=True):
        assert two.pop("scope") == one.pop("scope")
        assert two == pytest.approx(one, rel=2e-6)


@given(
    lens=st.lists(st.integers(10, 3000), min_size=1, max_size=60),
    size=st.integers(1, 9),
    batch_size=st.integers(1, 20),
    max_frames=st.integers(10, 10000),
)
def test_batches_are_shared_out_without_repeats_or_gaps(
    lens: list[int], size: int, batch_size: int, max_frames: int
) -> None:
    batches = [
        list(range(i, min(i + batch_size, len(lens)))) for i in range(0, len(lens), batch_size)
    ]
    shares = [shard_steps(batches, lens, max_frames, rank, size) for rank in range(size)]
    for number, batch in enumerate(batches):
        steps = [share[number] for share in shares]
        computed = [i for step in steps if step.weight for part in step.micro_batches for i in part]
        assert sorted(computed) == batch
        assert all(list(step.batch) == batch for step in steps)
        assert all(step.micro_batches and all(step.micro_batches) for step in steps), (
            "all exchange gradients"
        )
        assert sum(step.weight for step in steps) == min(size, len(batch))
        counts = [sum(map(len, step.micro_batches)) * step.weight for step in steps]
        assert max(counts) - min(counts) <= 1
        for step in steps:
            for part in step.micro_batches:
                assert len(part) == 1 or max(lens[i] for i in part) * len(part) <= max_frames
