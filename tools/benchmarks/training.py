"""Training beside ESPnet: the step, its memory, an epoch."""

from pathlib import Path

from benchmarks.espnet_env import measure_beside_espnet
from benchmarks.row import Row
from ser.base.errors import SerError

CASES = ("small", "wide")
LENGTHS = Path("/work/shared/data/lengths")
LISTS = {"iemocap": "iemocap_seconds.txt", "librispeech": "librispeech_train_clean_5_seconds.txt"}
BATCH_SIZE = 16


def train_step_vs_espnet() -> Row:
    """Utterances per second of the optimiser step, ours / ESPnet's, float32, two threads."""
    measured = {case: measure_beside_espnet("espnet_sides", "step", case) for case in CASES}
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
        (case, side): measure_beside_espnet("espnet_sides", "memory", case, side)["peak_bytes"]
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
    """Speed of an epoch over real lengths, ours / ESPnet's, each with its batching and loading.

    Raises:
        SerError: There are no lists of lengths.
    """
    missing = [name for name in LISTS.values() if not (LENGTHS / name).exists()]
    if missing:
        raise SerError(f"{LENGTHS / missing[0]}: not there; expected seconds, one a line")
    measured = {
        case: measure_beside_espnet("espnet_epoch", str(LENGTHS / name), str(BATCH_SIZE))
        for case, name in LISTS.items()
    }
    ratios = {case: m["espnet_seconds"] / m["our_seconds"] for case, m in measured.items()}
    return Row(
        key="epoch_vs_espnet",
        value=min(ratios.values()),
        target=">= 1.5",
        cases=ratios,
        raw={f"{case}.{name}": value for case in LISTS for name, value in measured[case].items()},
    )
