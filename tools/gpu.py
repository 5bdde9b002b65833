"""All parts of ``tools/gpu.sh``, each with its own time limit; a table last, and one JSON file."""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ser.base.errors import SerError, run_program
from ser.base.files import read_json
from ser.base.writing import write_json

ROOT = Path(__file__).parents[1]
# Seconds that each part may take: with what lies between them 8 minutes in all.
LIMITS = {
    "tests": 80,
    "ceiling": 20,
    "pretraining": 125,
    "espnet": 40,
    "finetuning": 80,
    "loader": 40,
    "mini": 90,
}
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".*_cache", ".hypothesis", "__pycache__", "venv", "bench_venv", "exp*", "model", "*.gz"
)
MINI_SYSTEMS = "cnn_blstm_sa transformer transformer_tl transformer_tl_mtl"


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cpu", action="store_true", help="a rehearsal with tiny sizes")
    parser.add_argument("--out", type=Path, default=Path("gpu"), help="folder (gpu)")
    parser.add_argument("--parts", nargs="+", choices=LIMITS, default=list(LIMITS))
    return parser.parse_args()


def run(
    command: Sequence[str], limit: float, log: Path, root: Path = ROOT, **environ: str
) -> str | None:
    """Runs a command with its output in a file; what went wrong, in one line, or None."""
    paths = [str(root), str(root / "tools"), os.environ.get("PYTHONPATH", "")]
    given = os.environ | environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    with log.open("w") as out:
        process = subprocess.Popen(
            command, env=given, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return f"took longer than {limit:g} s"
    if status:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        return f"exit {status}: {lines[-1] if lines else 'it said nothing'}"
    return None


def run_tests(out: Path, cpu: bool) -> tuple[dict[str, Any], str | None]:
    """``tests/gpu``: how many passed, and which failed."""
    log = out / "tests.log"
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / ".pytest.ini"), "-ra"]
    device = {"SER_GPU_TESTS": "rehearse", "CUDA_VISIBLE_DEVICES": ""} if cpu else {}
    failure = run([*command, str(ROOT / "tests" / "gpu")], LIMITS["tests"], log, **device)
    text = log.read_text(errors="replace")
    counts: dict[str, Any] = {
        what: int(number) for number, what in re.findall(r"(\d+) (passed|failed|skipped)", text)
    }
    failed = re.findall(r"^FAILED (\S+)", text, re.MULTILINE)
    return counts | ({"failed tests": failed} if failed else {}), failure


def run_part(part: str, out: Path, cpu: bool) -> tuple[dict[str, Any], str | None]:
    """One part of ``benchmarks.gpu``; what it had measured by the time it failed stays."""
    found = out / f"{part}.json"
    found.unlink(missing_ok=True)
    command = [sys.executable, "-m", "benchmarks.gpu", part, str(found), "cpu" if cpu else "cuda"]
    failure = run(command, LIMITS[part], out / f"{part}.log")
    return (read_json(found) if found.exists() else {}), failure


def run_mini(out: Path, cpu: bool) -> tuple[dict[str, Any], str | None]:
    """``egs/mini`` on the card: WA beside that of the CPU's table."""
    if cpu:
        return {}, "only on a GPU: on the CPU it is the README's first command"
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / "ser"
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT, symlinks=True)
        recipe = copy / "egs" / "mini"
        failure = run(
            ["bash", str(recipe / "run.sh"), "--ngpu", "1", "--systems", MINI_SYSTEMS],
            LIMITS["mini"],
            out / "mini.log",
            copy,
        )
        results = recipe / "exp" / "RESULTS.md"
        if not results.exists():
            return {}, failure
        shutil.copy(results, out / "mini_RESULTS.md")
        here, there = rows_of(results), rows_of(recipe / "RESULTS.md")
    figures = {}
    for system, row in here.items():
        wa = float(row.split()[0])
        low, high = map(float, re.findall(r"-?[\d.]+", there[system])[1:])
        where = "within" if low <= wa <= high else "OUTSIDE"
        figures[f"WA of {system}"] = f"{row}; {where} the CPU's {there[system]}"
    return figures, failure


def rows_of(results: Path) -> dict[str, str]:
    """WA with its interval, by system, of a RESULTS.md."""
    pattern = r"^\| [^|]+\| (\w+) +\| +([\d.]+ \[[^]]+\])"
    rows = re.findall(pattern, results.read_text(), re.MULTILINE)
    return dict(rows)


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """All parts; the file is written after each."""
    args.out.mkdir(parents=True, exist_ok=True)
    measured: dict[str, Any] = {
        "card": "none: a rehearsal" if args.cpu else torch.cuda.get_device_name(0),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "parts": {},
        "compared": {},
    }
    runners = {"tests": run_tests, "mini": run_mini}
    for part in args.parts:
        began = time.monotonic()
        if part in runners:
            figures, failure = runners[part](args.out.resolve(), args.cpu)
        else:
            figures, failure = run_part(part, args.out.resolve(), args.cpu)
        entry: dict[str, Any] = {"seconds": round(time.monotonic() - began, 1), "figures": figures}
        if failure:
            entry["failed"] = failure
        measured["parts"][part] = entry
        measured["compared"] = compared(measured)
        write_json(args.out / "gpu.json", measured)
        print(f"{part}: {entry['seconds']} s{'; ' + failure if failure else ''}", flush=True)
    return measured


def compared(measured: dict[str, Any]) -> dict[str, float]:
    """Shares of the card's own ceiling, and how far the loader is ahead of the training."""
    figures = {part: entry["figures"] for part, entry in measured["parts"].items()}
    ceiling, step = figures.get("ceiling", {}), figures.get("pretraining", {})
    found = {}
    for name, rate in step.items():
        kind, _, precision = name.partition(", ")
        peaks = [v for k, v in ceiling.items() if k.startswith(f"{kind}, {precision.split()[0]} p")]
        if kind == "TFLOP/s" and peaks:
            found[f"share of the measured peak, {precision}"] = rate / peaks[0]
    trained = [rate for name, rate in step.items() if name.startswith("hours of speech an hour")]
    loaded = figures.get("loader", {}).values()
    if trained and loaded:
        found["times as fast as the fastest training, the loader"] = max(loaded) / max(trained)
    return {name: float(f"{value:.4g}") for name, value in found.items()}


def table(measured: dict[str, Any]) -> str:
    """All figures, a line each."""
    lines = [f"{measured['card']}, torch {measured['torch']}"]
    for part, entry in measured["parts"].items():
        lines += [f"{part}: {entry['failed']}"] if "failed" in entry else []
        lines += [f"{part}: {name}: {json.dumps(v)}" for name, v in entry["figures"].items()]
    lines += [f"compared: {name}: {value}" for name, value in measured["compared"].items()]
    return "\n".join(lines)


def main() -> None:
    """Measures, and prints the table last."""
    args = parse_args()
    if not args.cpu and not torch.cuda.is_available():
        raise SerError("no GPU: PyTorch sees none; expected one; --cpu rehearses on the CPU")
    measured = measure(args)
    print(f"\n{table(measured)}\n\nwritten to {args.out / 'gpu.json'}")


if __name__ == "__main__":
    run_program(main)
