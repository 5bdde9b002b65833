"""What a full training run would take, by arithmetic on its configuration.

The rate of the card is its data sheet's, of which a share is assumed; or both are what
``tools/gpu.sh`` measured on a card.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ser.base.files import parsing, read_json
from ser.config.features import feature_bytes
from ser.nn.cost import FLOAT_BYTES
from ser.train.plan import Plan

PEAK_NAMES = {"bfloat16": "bfloat16", "float32": "TF32"}  # by the configuration's precision
NVLINK_BYTES_PER_SECOND = 450e9  # NVIDIA's data sheet of the H100 SXM, in one direction

# Of what is trained, beside its weight: gradient and Adam's two moments.
STATE_BYTES = 3 * FLOAT_BYTES
# A value kept for the backward pass is written once and read twice, its gradient written and read.
PASSES = 5
# A forward pass alone moves this share of what forward and backward pass move together.
FORWARD_SHARE = 1 / 3


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a GPU does.

    Attributes:
        name: For people.
        peaks: Operations a second of large matrix products, by precision.
        shares: Share of the peak that a training step reaches, by precision.
        bytes_per_second: Of its memory, read and written.
        source: Where this is from.
    """

    name: str
    peaks: Mapping[str, float]
    shares: Mapping[str, float]
    bytes_per_second: float
    source: str


H100 = Card(
    name="H100",
    peaks={"bfloat16": 989e12, "float32": 495e12},
    shares={"bfloat16": 0.4, "float32": 0.4},
    bytes_per_second=3.35e12,
    source="NVIDIA's data sheet of the H100 SXM; the share of its peak is assumed",
)


def read_card(path: Path) -> Card:
    """A card as ``tools/gpu.sh`` measured it, in ``gpu.json``.

    Raises:
        SerError: The file is missing or malformed, or lacks the figures of the card's ceiling or
            of pre-training.
    """
    measured = read_json(path)
    remedy = (
        "expected what tools/gpu.sh writes, with the parts ceiling and pretraining; measure these "
        "again"
    )
    with parsing(path, "figures are missing", remedy):
        figures = {part: entry["figures"] for part, entry in measured["parts"].items()}
        ceiling, step = figures["ceiling"], figures["pretraining"]
        products = {name.partition(" product")[0]: rate for name, rate in ceiling.items()}
        peaks = {p: 1e12 * products[f"TFLOP/s, {name}"] for p, name in PEAK_NAMES.items()}
        return Card(
            name=measured["card"],
            peaks=peaks,
            shares={p: 1e12 * step[f"TFLOP/s, {PEAK_NAMES[p]}"] / peaks[p] for p in peaks},
            bytes_per_second=1e12 * ceiling["TB/s, read and written, copy"],
            source=f"{path}: measured, at the paper's size",
        )


@dataclass(frozen=True, kw_only=True)
class RunCost:
    """A run on so many GPUs at a precision; all times in seconds of the whole run.

    Attributes:
        flops: Operations of the whole run.
        compute: At the card's share of its peak.
        memory: For moving what a step keeps and its gradients, at the memory's whole rate.
        all_reduce: For the ring all-reduce of the gradients; it may hide behind the backward pass.
        speech: Seconds of speech of all epochs.
    """

    flops: float
    compute: float
    memory: float
    all_reduce: float
    speech: float

    @property
    def bound(self) -> str:
        """What takes longest."""
        times = {
            "compute": self.compute,
            "GPU memory": self.memory,
            "all-reduce": self.all_reduce,
        }
        return max(times, key=lambda name: times[name])

    @property
    def seconds(self) -> float:
        """The longest of the three, as if the others hid behind it."""
        return max(self.compute, self.memory, self.all_reduce)


def run_cost(plan: Plan, num_gpus: int, precision: str, card: Card = H100) -> RunCost:
    """The whole run on so many cards."""
    speech = plan.hours_per_epoch * 3600 * plan.training.max_epochs
    flops = plan.num_utts * plan.flops
    epochs, kept = plan.training.max_epochs, plan.step.kept.total()
    forward_alone = (1 if plan.encoded else epochs) * (plan.whole.kept.total() - kept)
    moved = plan.num_utts * PASSES * (epochs * kept + FORWARD_SHARE * forward_alone)
    sent = plan.num_steps * all_reduce_bytes(plan, num_gpus)
    return RunCost(
        flops=flops,
        compute=flops / (num_gpus * card.shares[precision] * card.peaks[precision]),
        memory=moved / (num_gpus * card.bytes_per_second),
        all_reduce=sent / NVLINK_BYTES_PER_SECOND,
        speech=speech,
    )


def all_reduce_bytes(plan: Plan, num_gpus: int) -> float:
    """Bytes that each GPU sends a step: a ring passes 2 (n - 1) / n of the gradient."""
    return 2 * (num_gpus - 1) / num_gpus * FLOAT_BYTES * plan.num_trained


def describe_plan(plan: Plan, gpu_counts: Sequence[int], card: Card = H100) -> str:
    """The estimate for people: costs by part, memory, disk, then the run on so many cards."""
    return "\n".join(
        [
            f"{plan.name}: arithmetic on the configuration",
            f"the card: {card.source}",
            "",
            *_operations(plan),
            "",
            *_sizes(plan),
            "",
            *(line for count in gpu_counts for line in _run(plan, count, card)),
        ]
    )


def _operations(plan: Plan) -> list[str]:
    seconds = plan.mean_seconds
    forward = plan.whole.forward
    total = forward.total()
    an_epoch = plan.flops / plan.training.max_epochs
    rows = [
        f"  {part:32} {flops / seconds / 1e9:9.4f}  {flops / total:6.1%}"
        for part, flops in forward.most_common()
    ]
    return [
        f"GFLOP a second of speech, utterances of {seconds:.2f} s",
        *rows,
        f"  {'forward':32} {total / seconds / 1e9:9.4f}",
        f"  {'training, an epoch':32} {an_epoch / seconds / 1e9:9.4f}  "
        f"(forward x {an_epoch / total:.3g})",
    ]


def _sizes(plan: Plan) -> list[str]:
    kept: Counter[str] = Counter()
    for part, size in plan.step.kept.items():
        kept[".".join(part.split(".")[:2])] += size
    part_utts = min(
        plan.training.batch_size_utts, plan.training.max_frames_in_memory / plan.given.shape[1]
    )
    parts = ", ".join(f"{name} {part_utts * size / 1e9:.2f}" for name, size in kept.most_common())
    state = FLOAT_BYTES * plan.num_parameters + STATE_BYTES * plan.num_trained
    stored = plan.num_utts * feature_bytes(plan.fbank, [plan.mean_seconds])
    encoded = []
    if plan.encoded:
        written = plan.bytes_per_second * 3600 * plan.hours_per_epoch
        encoded = [f"disk for encoder outputs   {written / 1e9:.1f} GB"]
    return [
        f"parameters                 {plan.num_parameters:,}",
        f"weights, gradients, Adam   {state / 1e9:.2f} GB",
        f"kept for the backward pass {part_utts * kept.total() / 1e9:.2f} GB "
        f"a micro-batch of {part_utts:.3g} utterances ({parts}), in float32",
        f"loaded in every epoch      {plan.bytes_per_second / 1e3:.1f} kB a second of speech",
        f"disk for features          {stored / 1e9:.1f} GB "
        f"({plan.hours_per_epoch:g} h, {plan.fbank.storage})",
        *encoded,
    ]


def _run(plan: Plan, num_gpus: int, card: Card) -> list[str]:
    epochs = plan.training.max_epochs
    lines = [
        f"{plan.hours_per_epoch:g} h x {epochs} epochs, {plan.num_steps:,} steps of "
        f"{plan.training.batch_size_utts} utterances, on {num_gpus} {card.name}"
    ]
    for precision, peak in card.peaks.items():
        run = run_cost(plan, num_gpus, precision, card)
        per_gpu = run.speech / run.seconds / num_gpus
        asked = ", as the configuration has it" if precision == plan.training.precision else ""
        lines += [
            f"  {PEAK_NAMES[precision]}{asked}: {run.flops:.3g} FLOP at "
            f"{card.shares[precision]:.2g} x {peak / 1e12:g} TFLOP/s = {_duration(run.compute)}",
            f"    GPU memory {_duration(run.memory)} at {card.bytes_per_second / 1e12:g} TB/s in "
            f"float32, all-reduce {_duration(run.all_reduce)}: bound by {run.bound}",
            f"    the loader must deliver {per_gpu:,.0f} h of speech an hour and GPU, "
            f"{per_gpu * plan.bytes_per_second / 1e6:,.0f} MB/s",
        ]
    sent = all_reduce_bytes(plan, num_gpus)
    if sent:
        lines.append(
            f"  all-reduce: {sent / 1e6:,.0f} MB sent a step and GPU, "
            f"{1e3 * sent / NVLINK_BYTES_PER_SECOND:.2f} ms over NVLink at "
            f"{NVLINK_BYTES_PER_SECOND / 1e9:g} GB/s"
        )
    return lines


def _duration(seconds: float) -> str:
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.2g} s"
