"""Measures speed and memory beside the peers, as ratios from one run.

    tools/venv/bin/python tools/bench.py [--json FILE] [KEY ...]

Prints a table, and with --json writes one flat object: the figure of a row under its key, each case
under KEY.CASE, the raw figures (seconds, threads, shapes, parameters) under KEY.NAME. Each row runs
in a process of its own. Rows that compare with ESPnet, SpeechBrain or s3prl make an environment
with them on first use (tools/bench_venv; it shares our torch); int8_accuracy needs egs/mini after
stage 4.
"""

import argparse
import importlib
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.row import Row

from ser.base.environment import versions
from ser.base.errors import run_program
from ser.base.writing import write_json

# Row -> the module of tools/benchmarks whose function of the row's name measures it.
ROWS = {
    "fbank_vs_torchaudio": "features",
    "stage1_vs_simple": "features",
    "loader_realtime_per_core": "loading",
    "loader_vs_kaldiio": "loading",
    "padding_fraction": "loading",
    "train_step_vs_espnet": "training",
    "epoch_vs_espnet": "training",
    "train_memory_vs_espnet": "training",
    "whisper_step_vs_transformers": "whisper",
    "whisper_predict_vs_transformers": "whisper",
    "ddp_efficiency": "distribution",
    "predict_realtime": "prediction",
    "predict_cold_start_vs_torch_import": "prediction",
    "onnx_start": "prediction",
    "latency_on_busy_cores": "busy_cores",
    "api_vs_peers": "prediction",
    "int8_accuracy": "quantised",
}


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("keys", nargs="*", metavar="KEY", help=f"rows (all): {', '.join(ROWS)}")
    parser.add_argument("--json", type=Path, help="file that gets all figures")
    args = parser.parse_args()
    unknown = [key for key in args.keys if key not in ROWS]
    if unknown:
        parser.error(f"no row '{unknown[0]}'; expected some of {', '.join(ROWS)}")
    return args


def measure(key: str) -> Row:
    """One row, in this process."""
    row: Row = getattr(importlib.import_module(f"benchmarks.{ROWS[key]}"), key)()
    return row


def main() -> None:
    """Measures row by row, prints as it goes, writes what there is after each row."""
    args = parse_args()
    print("| row | measured | to reach | reached | cases |\n|---|---:|---:|---|---|", flush=True)
    figures: dict[str, Any] = {"hardware": versions()["processor"]}
    context = multiprocessing.get_context("spawn")
    for key in args.keys or ROWS:
        with ProcessPoolExecutor(1, context) as pool:
            row = pool.submit(measure, key).result()
        cases = ", ".join(f"{case} {value:.4g}" for case, value in row.cases.items())
        print(
            f"| `{key}` | {row.value:.4g} | {row.to_reach} | {row.reached} | {cases} |", flush=True
        )
        figures |= row.flat()
        if args.json:
            write_json(args.json, figures)


if __name__ == "__main__":
    run_program(main)
