"""Training beside ESPnet: the step, its memory, an epoch."""

import tempfile
from pathlib import Path

from benchmarks.corpora import speech_num_frames
from benchmarks.peer_env import measure_beside_peers
from benchmarks.row import Row

CASES = ("small", "wide")
LISTS = ("iemocap", "librispeech_train_clean_5")
BATCH_SIZE = 16


def train_step_vs_espnet() -> Row:
    """Utterances per second of the optimiser step, ours / ESPnet's, float32, two threads."""
    measured = {case: measure_beside_peers("espnet_sides", "step", case) for case in CASES}
    ratios = {case: m["espnet_seconds"] / m["our_seconds"] for case, m in measured.items()}
    return Row(
        key="train_step_vs_espnet",
        value=min(ratios.values()),
        target=">= 1.4",  # wide: 1.3 would do
        cases=ratios,
        raw={f"{case}.{name}": value for case in CASES for name, value in measured[case].items()},
    )


def train_memory_vs_espnet() -> Row:
    """Resident memory that the step adds at its peak, ours / ESPnet's, each in its process."""
    peaks = {
        (case, side): measure_beside_peers("espnet_sides", "memory", case, side)["peak_bytes"]
        for case in CASES
        for side in ("ours", "espnet")
    }
    ratios = {case: peaks[case, "ours"] / peaks[case, "espnet"] for case in CASES}
    return Row(
        key="train_memory_vs_espnet",
        value=max(ratios.values()),
        target="<= 0.7",
        cases=ratios,
        raw={f"{case}.{side}_peak_bytes": peak for (case, side), peak in peaks.items()},
    )


def epoch_vs_espnet() -> Row:
    """Speed of an epoch over real lengths, ours / ESPnet's, each with its batching and loading."""
    measured = {}
    with tempfile.TemporaryDirectory() as folder:
        for corpus in LISTS:
            frames = Path(folder) / corpus
            frames.write_text("".join(f"{size}\n" for size in speech_num_frames(corpus)))
            measured[corpus] = measure_beside_peers("espnet_epoch", str(frames), str(BATCH_SIZE))
    ratios = {case: m["espnet_seconds"] / m["our_seconds"] for case, m in measured.items()}
    return Row(
        key="epoch_vs_espnet",
        value=min(ratios.values()),
        target=">= 1.5",
        cases=ratios,
        raw={f"{case}.{name}": value for case in LISTS for name, value in measured[case].items()},
    )
