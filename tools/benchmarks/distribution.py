"""Two processes against one."""

import os
import socket
import statistics
import tempfile
import time
from pathlib import Path

import torch
from torch import distributed, nn

from benchmarks.row import Row
from ser.base.files import read_json
from ser.base.writing import write_json
from ser.config.network import SubsamplingConfig, TransformerConfig
from ser.config.schema import CtcConfig, OptimizerConfig, TrainingConfig
from ser.data.batch import Batch
from ser.nn.recogniser import Recogniser
from ser.train.engine.distributed import Distributed, init_distributed
from ser.train.engine.step import Stepper
from ser.train.pretrain import recogniser_loss

NUM_UTTS, NUM_FRAMES, NUM_TOKENS, VOCAB_SIZE = 16, 1200, 40, 5001
ROUNDS = 5
ENCODER = TransformerConfig(
    type="transformer",
    num_mel_bins=80,
    subsampling=SubsamplingConfig(num_channels=256, kernel_sizes=[3, 5], strides=[2, 3]),
    d_model=256,
    num_blocks=12,
    num_heads=4,
    head_dim=64,
    ffn_dim=2048,
    dropout_prob=0.1,
    attention_dropout_prob=0.1,
    layer_norm="post",
    initialisation="xavier",
)
TRAINING = TrainingConfig(
    batch_size_utts=NUM_UTTS,
    max_frames_in_memory=NUM_UTTS * NUM_FRAMES,
    length_jitter_prob=0.02,
    max_epochs=1,
    precision="float32",
    checkpoint_minutes=60.0,
    num_loader_workers=0,
    spec_augment=None,
)
OPTIMIZER = OptimizerConfig(
    learning_rate=1e-4,
    weight_decay=1e-6,
    betas=[0.9, 0.999],
    schedule="constant",
    warmup_steps=0,
    max_grad_norm=5.0,
)


def make_batch(num_utts: int) -> Batch:
    """Random features and tokens."""
    torch.manual_seed(1)
    return Batch(
        utts=tuple(f"u{i}" for i in range(num_utts)),
        feats=torch.randn(num_utts, NUM_FRAMES, 80),
        feat_lens=torch.full((num_utts,), NUM_FRAMES),
        tokens=torch.randint(1, VOCAB_SIZE, (num_utts, NUM_TOKENS)),
        token_lens=torch.full((num_utts,), NUM_TOKENS),
        labels=torch.full((num_utts,), -1),
    )


def make_stepper(world: Distributed) -> Stepper:
    """The optimiser step of pre-training."""
    model = Recogniser(ENCODER, VOCAB_SIZE)
    ctc = CtcConfig(normalisation="per_token", max_too_short_prob=0.0)
    return Stepper(model, recogniser_loss(ctc), TRAINING, OPTIMIZER, 1000, 1, world)


def measure(rank: int, port: int, out: Path) -> None:
    """In turns: the first process alone with the whole batch, both with half of it each."""
    os.environ |= {"MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    world = init_distributed(0)
    together, half = make_stepper(world), make_batch(NUM_UTTS // 2)
    alone, whole = make_stepper(Distributed(0, 1, world.device)), make_batch(NUM_UTTS)
    seconds: dict[str, list[float]] = {"one": [], "two": []}
    for number in range(ROUNDS + 1):
        for name, stepper, batch in (("one", alone, whole), ("two", together, half)):
            distributed.barrier()
            if name == "two" or world.is_first:
                began = time.perf_counter()
                stepper.step(number, [batch], 1, NUM_UTTS, stop=False)
                if number:
                    seconds[name].append(time.perf_counter() - began)
    if world.is_first:
        write_json(out, seconds | {"parameters": count(alone)})


def count(stepper: Stepper) -> int:
    """Parameters of the network."""
    parameters: list[nn.Parameter] = stepper.optimizer.param_groups[0]["params"]
    return sum(p.numel() for p in parameters)


def ddp_efficiency() -> Row:
    """Throughput of two processes of one thread, over twice that of one; one batch for both."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "seconds.json"
        with socket.create_server(("localhost", 0)) as server:
            port = server.getsockname()[1]
        torch.multiprocessing.spawn(measure, (port, out), nprocs=2)
        measured = read_json(out)
    one, two = (statistics.median(measured[name]) for name in ("one", "two"))
    return Row(
        key="ddp_efficiency",
        value=one / two / 2,
        target=">= 0.85",
        raw={
            "seconds_one_process": one,
            "seconds_two_processes": two,
            "threads_per_process": 1,
            "shape": f"{NUM_UTTS} x {NUM_FRAMES} frames, d {ENCODER.d_model}, "
            f"{ENCODER.num_blocks} blocks, gloo",
            "parameters": measured["parameters"],
        },
    )
