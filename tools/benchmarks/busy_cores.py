"""The latency of a window while others compute on the same cores, by how the threads wait.

As a program, one side of the row in a process of its own, for OpenMP reads its settings once:
python -m benchmarks.busy_cores OUT MODEL NUM_WINDOWS NUM_THREADS (0: the libraries' choice).
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.peer_env import measure_in_process
from benchmarks.prediction import random_system, run_folder
from benchmarks.row import Row
from ser.base.process import num_cores
from ser.infer.loading import load

RATE, WINDOW_SECONDS, NUM_WINDOWS, ROUNDS = 16000, 3, 20, 3
# Case -> OMP_WAIT_POLICY, threads. The programs of ser.bin have the second, unless told otherwise.
CASES = {"active": ("ACTIVE", 0), "passive": ("PASSIVE", 0), "one_thread": ("PASSIVE", 1)}

NEIGHBOUR = """
import os
parent = os.getppid()
while os.getppid() == parent:  # it does not outlive the benchmark
    pass
"""


def latency_on_busy_cores() -> Row:
    """Milliseconds of a window of 3 s beside a busy loop on each core; in turns, medians."""
    found: dict[str, dict[str, list[float]]] = {"alone": {}, "busy": {}}
    num_neighbours = {"alone": 0, "busy": num_cores()}
    with run_folder(random_system("mini")) as model:
        for _ in range(ROUNDS):
            for state, number in num_neighbours.items():
                with neighbours(number):
                    for case, (policy, num_threads) in CASES.items():
                        environ = {"OMP_WAIT_POLICY": policy}
                        words = ("busy_cores", str(model), str(NUM_WINDOWS), str(num_threads))
                        measured = measure_in_process(sys.executable, *words, environ=environ)
                        found[state].setdefault(case, []).append(measured["milliseconds"])
    medians = {
        state: {case: statistics.median(values) for case, values in cases.items()}
        for state, cases in found.items()
    }
    return Row(
        key="latency_on_busy_cores",
        value=max(medians["busy"].values()),
        target="reported",
        cases=medians["busy"],
        raw={
            "cores": num_cores(),
            "windows": NUM_WINDOWS,
            "rounds": ROUNDS,
            "weights": "random",
            **{f"{case}.alone": value for case, value in medians["alone"].items()},
        },
    )


@contextmanager
def neighbours(number: int) -> Iterator[None]:
    """So many processes that never wait."""
    running = [subprocess.Popen([sys.executable, "-c", NEIGHBOUR]) for _ in range(number)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def measure(model_path: Path, num_windows: int, num_threads: int) -> Mapping[str, float]:
    """The median over windows that are predicted one by one, after one that does not count."""
    model = load(model_path, num_threads=num_threads or None)
    samples = 0.1 * np.random.default_rng(0).normal(size=RATE * WINDOW_SECONDS)
    times = []
    for _ in range(num_windows + 1):
        began = time.perf_counter()
        model.predict(samples, RATE)
        times.append(time.perf_counter() - began)
    return {"milliseconds": 1000 * statistics.median(times[1:])}


def main() -> None:
    """Writes what was measured."""
    out, model_path, *numbers = sys.argv[1:]
    Path(out).write_text(json.dumps(measure(Path(model_path), *map(int, numbers))))


if __name__ == "__main__":
    main()
