"""What a GPU does with this code, part by part; ``tools/gpu.sh`` runs each part in a process.

python -m benchmarks.gpu PART OUT.json cuda|cpu

OUT.json is written anew after each figure. On the CPU everything is tiny: a rehearsal.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import multiprocessing, nn
from torch.profiler import ProfilerActivity, profile

from benchmarks.corpora import speech_num_frames
from ser.base.files import write_json
from ser.config.load import load_config
from ser.config.network import CnnBlstmSaConfig, TransformerConfig
from ser.config.schema import OptimizerConfig, PretrainConfig, SystemConfig, TrainingConfig
from ser.data.batch import Batch
from ser.data.utterances import FeatureReader, Utterance
from ser.kaldi.ark import ArkWriter
from ser.nn.cost import forward_flops, training_flops
from ser.nn.recogniser import Recogniser
from ser.nn.systems import build_system
from ser.train.finetune import emotion_loss
from ser.train.pretrain import recogniser_loss
from ser.train.step import ComputeLoss, Stepper
from ser.train.training_data import TrainingData
from ser.train.world import World

CONF = Path(__file__).parents[2] / "egs" / "iemocap" / "conf"
NUM_CLASSES = 4
FRAMES_PER_HOUR = 360_000
TOKENS_PER_FRAME = 0.03
WARM_STEPS = 3
NUM_FINETUNING_RUNS = 20  # four systems by five folds
PRECISIONS = {  # name -> of products, of the configuration, compiled
    "float32": ("highest", "float32", False),
    "TF32": ("high", "float32", False),
    "bfloat16": ("high", "bfloat16", False),
    "bfloat16 compiled": ("high", "bfloat16", True),
}
Say = Callable[..., None]


class Sizes(NamedTuple):
    """How much is measured."""

    matrix: int
    copied_bytes: int
    repeats: int
    hours: float  # of features on the disk
    num_steps: int  # of training that are timed
    vocab_size: int
    tiny: bool


SIZES = {
    "cuda": Sizes(8192, 2**31, 20, hours=4.0, num_steps=10, vocab_size=5001, tiny=False),
    "cpu": Sizes(128, 2**20, 2, hours=0.03, num_steps=2, vocab_size=9, tiny=True),
}


def wait(device: torch.device) -> None:
    """Until all that was asked of the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(device: torch.device, repeats: int, action: Callable[[], object]) -> float:
    """Seconds of one call, after one that does not count."""
    action()
    wait(device)
    began = time.perf_counter()
    for _ in range(repeats):
        action()
    wait(device)
    return (time.perf_counter() - began) / repeats


def ceiling(device: torch.device, sizes: Sizes, say: Say) -> None:
    """The card's own rates: products of large matrices, and copies within its memory."""
    size = sizes.matrix
    for name, precision, dtype in (
        ("float32", "highest", torch.float32),
        ("TF32", "high", torch.float32),
        ("bfloat16", "high", torch.bfloat16),
    ):
        torch.set_float32_matmul_precision(precision)
        a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
        seconds = seconds_of(device, sizes.repeats, lambda a=a, b=b: a @ b)
        say(f"TFLOP/s, {name} product of {size}", 2 * size**3 / seconds / 1e12)
    source = torch.empty(sizes.copied_bytes, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    seconds = seconds_of(device, sizes.repeats, lambda: target.copy_(source))
    say("TB/s, read and written, copy", 2 * sizes.copied_bytes / seconds / 1e12)


@contextmanager
def corpus(name: str, sizes: Sizes) -> Iterator[TrainingData]:
    """Random features of the corpus' real lengths in an archive, with tokens and labels."""
    random = np.random.default_rng(0)
    lens: list[int] = []
    while sum(lens) < sizes.hours * FRAMES_PER_HOUR:
        lens += speech_num_frames(name)
    lens = random.permutation(lens).tolist()
    number = int(np.searchsorted(np.cumsum(lens), sizes.hours * FRAMES_PER_HOUR)) + 1
    utterances = [
        Utterance(
            f"utt{place:06}",
            size,
            random.integers(1, sizes.vocab_size, max(1, int(TOKENS_PER_FRAME * size))).tolist(),
            place % NUM_CLASSES,
        )
        for place, size in enumerate(lens[:number])
    ]
    with tempfile.TemporaryDirectory() as folder, ArkWriter(Path(folder), "float32") as writer:
        for utterance in utterances:
            feats = random.standard_normal((utterance.num_frames, 80), dtype=np.float32)
            writer.write(utterance.utt, feats)
        feats = FeatureReader(writer.finish(), Path(folder) / "feats.scp", "utterance_mean")
        yield TrainingData(utterances, feats, 10.0)


class Training(NamedTuple):
    """A configuration of the recipe, and how its network is made."""

    make: Callable[[], nn.Module]
    compute_loss: ComputeLoss
    training: TrainingConfig
    optimizer: OptimizerConfig


def shrunk(model: Any) -> Any:
    """A network's configuration with everything small."""
    if isinstance(model, CnnBlstmSaConfig):
        return model.model_copy(update={"num_channels": 2, "lstm_dim": 8, "attention_dim": 8})
    assert isinstance(model, TransformerConfig)
    front = model.subsampling.model_copy(update={"num_channels": 4})
    sizes = {"d_model": 16, "num_blocks": 2, "num_heads": 2, "head_dim": 8, "ffn_dim": 32}
    return model.model_copy(update={"subsampling": front, **sizes})


def pretraining_of(sizes: Sizes) -> Training:
    """The paper's recogniser."""
    config = load_config(CONF / "pretrain" / "ctc.yaml", PretrainConfig)
    encoder = shrunk(config.encoder) if sizes.tiny else config.encoder
    return Training(
        lambda: Recogniser(encoder, sizes.vocab_size),
        recogniser_loss(config.ctc),
        config.training,
        config.optimizer,
    )


def finetuning_of(system: str, sizes: Sizes) -> Training:
    """One of the paper's systems."""
    config = load_config(CONF / "systems" / f"{system}.yaml", SystemConfig)
    if sizes.tiny:
        config = config.model_copy(update={"model": shrunk(config.model)})
    return Training(
        lambda: build_system(config, NUM_CLASSES, sizes.vocab_size),
        emotion_loss(config),
        config.training,
        config.optimizer,
    )


class Prepared(NamedTuple):
    """An optimiser step at a time."""

    model: nn.Module
    step: Callable[[int], object]
    frames: Sequence[int]  # of real speech, step by step
    flops: float  # of forward and backward pass of all steps


def prepare(
    wanted: Training, data: TrainingData, device: torch.device, precision: str, sizes: Sizes
) -> Prepared:
    """Batches that lie on the device already; ``step(n)`` takes the n-th."""
    matmul, autocast, compiled = PRECISIONS[precision]
    torch.set_float32_matmul_precision(matmul)
    torch.backends.cudnn.allow_tf32 = matmul == "high"
    changes = {"precision": autocast, "compile": compiled, "max_epochs": 1}
    if sizes.tiny:
        changes["batch_size_utts"] = 2
    training = wanted.training.model_copy(update={**changes, "num_loader_workers": 0})
    world = World(0, 1, device)
    torch.manual_seed(1)
    model = wanted.make().to(device)
    stepper = Stepper(model, wanted.compute_loss, training, wanted.optimizer, 10**6, 1, world)
    given = list(islice(data.steps(training, 1, 0, 0, world), sizes.num_steps))

    def step(number: int) -> object:
        one, parts = given[number % len(given)]
        return stepper.step(number, parts, 1, len(one.batch), stop=False)

    lens = [data.num_frames[i] for one, _ in given for i in one.batch]
    flops = sum(training_flops(forward_flops(model, size)) for size in lens)  # type: ignore[arg-type]
    return Prepared(
        model, step, [sum(data.num_frames[i] for i in o.batch) for o, _ in given], flops
    )


def timed(prepared: Prepared, device: torch.device) -> float:
    """Seconds of all steps."""
    for number in range(WARM_STEPS):
        prepared.step(number)
    wait(device)
    began = time.perf_counter()
    for number in range(len(prepared.frames)):
        prepared.step(number)
    wait(device)
    return time.perf_counter() - began


def pretraining(device: torch.device, sizes: Sizes, say: Say) -> None:
    """Pre-training at the paper's size, batches of 64 at LibriSpeech's lengths."""
    with corpus("librispeech_train_clean_5", sizes) as data:
        wanted = pretraining_of(sizes)
        for precision, (*_, compiled) in PRECISIONS.items():
            if compiled and sizes.tiny:
                continue  # takes a minute; a test of its own compiles
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(device)
            prepared = prepare(wanted, data, device, precision, sizes)
            seconds = timed(prepared, device)
            hours = sum(prepared.frames) / FRAMES_PER_HOUR
            say(f"hours of speech an hour, {precision}", hours / seconds * 3600)
            say(f"TFLOP/s, {precision}", prepared.flops / seconds / 1e12)
            say(f"milliseconds a step, {precision}", 1e3 * seconds / len(prepared.frames))
            if device.type == "cuda":
                peak = torch.cuda.max_memory_allocated(device)
                say(f"GB at the peak, {precision}", peak / 1e9)
            if precision == "bfloat16":
                for name, share in costliest(prepared, device):
                    say(f"share of the time, {name}", share)
            del prepared


def costliest(prepared: Prepared, device: torch.device) -> list[tuple[str, float]]:
    """The ten kernels (on the CPU operations) that take most time, with their shares."""
    activities = [ProfilerActivity.CPU]
    if device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    with profile(activities=activities) as profiler:
        for number in range(2):
            prepared.step(number)
        wait(device)
    by_device = device.type == "cuda"
    times = {
        event.key[:80]: event.self_device_time_total if by_device else event.self_cpu_time_total
        for event in profiler.key_averages()
        if not by_device or event.device_type == torch.autograd.DeviceType.CUDA
    }
    total = sum(times.values())
    ranked = sorted(times.items(), key=lambda item: -item[1])
    return [(name, microseconds / total) for name, microseconds in ranked[:10]]


def espnet(device: torch.device, sizes: Sizes, say: Say) -> None:
    """The step of the same size beside ESPnet's encoder and CTC, in turns."""
    from benchmarks.espnet_sides import Case, Espnet, Ours, give_weights, random_batch, stepper
    from benchmarks.row import alternate_seconds

    case = Case(32, 2, 4, 2, 100) if sizes.tiny else Case(512, 18, 8, 64, 1200)
    ours, theirs = Ours(case), Espnet(case)
    give_weights(ours, theirs)
    torch.set_float32_matmul_precision("high")
    batch = tuple(tensor.to(device) for tensor in random_batch(case))
    for precision in ("TF32", "bfloat16"):
        sides = []
        for model in (ours.to(device).train(), theirs.to(device).train()):
            if precision == "bfloat16" and device.type == "cuda":
                model.to(memory_format=torch.channels_last)
            step = stepper(model, batch)  # type: ignore[arg-type]

            def waited(
                step: Callable[[], None] = step, half: bool = precision == "bfloat16"
            ) -> None:
                with torch.autocast(device.type, torch.bfloat16, half):
                    step()
                wait(device)

            sides.append(waited)
        our_seconds, their_seconds = alternate_seconds(sizes.num_steps // 2, *sides)
        say(f"times as fast as ESPnet, {precision}", their_seconds / our_seconds)
        say(f"milliseconds of ESPnet's step, {precision}", 1e3 * their_seconds)


def finetuning(device: torch.device, sizes: Sizes, say: Say) -> None:
    """Fine-tuning at IEMOCAP's lengths: one run, and several side by side on one card."""
    num_utts = len(speech_num_frames("iemocap")) * 4 // 5
    context = multiprocessing.get_context("spawn")
    for system in ("transformer_tl", "transformer_tl_mtl"):
        training = finetuning_of(system, sizes).training
        for side_by_side in (1,) if sizes.tiny else (1, 2, 4):
            ready = context.Barrier(side_by_side)
            answers = context.SimpleQueue()
            given = (system, device.type, ready, answers)
            started = [context.Process(target=one_run, args=given) for _ in range(side_by_side)]
            for process in started:
                process.start()
            step_seconds = max(answers.get() for _ in started)
            for process in started:
                process.join()
            epoch = step_seconds * num_utts / training.batch_size_utts
            run = epoch * training.max_epochs
            label = f"{system}, {side_by_side} side by side"
            say(f"seconds an epoch, {label}", epoch)
            say(f"runs an hour, {label}", 3600 * side_by_side / run)
            say(f"hours for {NUM_FINETUNING_RUNS} runs, {label}", run * 20 / side_by_side / 3600)


def one_run(system: str, device_name: str, ready: Any, answers: Any) -> None:
    """Seconds of one step of one run, all having begun."""
    device, sizes = torch.device(device_name), SIZES[device_name]
    torch.set_num_threads(1)
    few = sizes._replace(hours=min(sizes.hours, 0.5), num_steps=2 * sizes.num_steps)
    with corpus("iemocap", few) as data:
        wanted = finetuning_of(system, sizes)
        prepared = prepare(wanted, data, device, "bfloat16", few)
        for number in range(WARM_STEPS):
            prepared.step(number)
        wait(device)
        ready.wait()
        answers.put(timed(prepared, device) / len(prepared.frames))
        ready.wait()


def loader(device: torch.device, sizes: Sizes, say: Say) -> None:
    """Batches from the page cache to the device, by the number of processes that read."""
    config = load_config(CONF / "pretrain" / "ctc.yaml", PretrainConfig)
    world = World(0, 1, device)
    with corpus("librispeech_train_clean_5", sizes) as data:
        for workers in (0, 1) if sizes.tiny else (0, 1, 2, 4, 8):
            training = config.training.model_copy(
                update={"num_loader_workers": workers, "max_epochs": 2}
            )
            parts: Iterator[tuple[Any, list[Batch]]] = data.steps(training, 1, 0, 0, world)
            next(parts)  # the processes are there
            began = time.perf_counter()
            frames = sum(sum(data.num_frames[i] for i in step.batch) for step, _ in parts)
            wait(device)
            seconds = time.perf_counter() - began
            say(f"hours of speech an hour, {workers} processes", frames / 100 / seconds)


PARTS = {part.__name__: part for part in (ceiling, pretraining, espnet, finetuning, loader)}


def main() -> None:
    """Measures one part."""
    part, out, device_name = sys.argv[1:]
    figures: dict[str, float] = {}

    def say(name: str, value: float) -> None:
        figures[name] = float(f"{value:.5g}")
        write_json(Path(out), figures)
        print(f"{name}: {value:.5g}", flush=True)

    PARTS[part](torch.device(device_name), SIZES[device_name], say)


if __name__ == "__main__":
    main()
