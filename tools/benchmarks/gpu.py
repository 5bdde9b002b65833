"""What a GPU does with this code, part by part; ``tools/gpu.sh`` runs each part in a process.

python -m benchmarks.gpu PART OUT.json cuda|cpu

OUT.json is written anew after each figure. On the CPU everything is tiny: a rehearsal.
"""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import multiprocessing
from torch.profiler import ProfilerActivity, profile

from benchmarks.corpora import speech_num_frames
from benchmarks.gpu_training import (
    CONF,
    FRAMES_PER_HOUR,
    PRECISIONS,
    SIZES,
    WARM_STEPS,
    Prepared,
    Sizes,
    corpus,
    finetuning_of,
    prepare,
    pretraining_of,
    timed,
    training_flops,
    wait,
)
from ser.base.writing import write_json
from ser.config.load import load_config
from ser.config.schema import PretrainConfig
from ser.data.batch import Batch
from ser.train.engine.distributed import Distributed

NUM_FINETUNING_RUNS = 20  # four systems by five folds
Say = Callable[[str, float], None]


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
            flops = training_flops(wanted.make, prepared.lens)
            say(f"TFLOP/s, {precision}", flops / seconds / 1e12)
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
            say(
                f"hours for {NUM_FINETUNING_RUNS} runs, {label}",
                run * NUM_FINETUNING_RUNS / side_by_side / 3600,
            )


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
    world = Distributed(0, 1, device)
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
