"""The Python environment with the peers, beside ours, and processes in it."""

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ser.base.errors import SerError

ROOT = Path(__file__).parents[2]
VENV = ROOT / "tools" / "bench_venv"
PACKAGES = (
    "espnet==202511",
    "typeguard==2.13.3",
    "humanfriendly",
    "packaging",
    "configargparse",
    "torch_complex",
    "h5py",
    "speechbrain==1.1.2",
    "hyperpyyaml",
    "ruamel.yaml<0.18",
    "huggingface_hub==0.35.3",
    "requests",
    "s3prl==0.4.18",
    "omegaconf",
    "antlr4-python3-runtime==4.9.3",
    "transformers==4.57.1",
    "tokenizers==0.22.1",
    "regex",
)


def make_env() -> Path:
    """Its interpreter; the environment is made on first use and shares our torch."""
    python, complete = VENV / "bin" / "python", VENV / ".complete"
    if not complete.exists() or complete.read_text() != "\n".join(PACKAGES):
        run([sys.executable, "-m", "venv", "--clear", str(VENV)])
        paths = sysconfig.get_paths(vars={"base": str(VENV), "platbase": str(VENV)})
        Path(paths["purelib"], "ours.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
        run([str(python), "-m", "pip", "install", "--quiet", "--no-deps", *PACKAGES])
        complete.write_text("\n".join(PACKAGES))
    return python


def measure_beside_peers(module: str, *args: str) -> dict[str, Any]:
    """What a module of this folder measures, in a fresh process that sees the peers and us."""
    return measure_in_process(str(make_env()), module, *args)


def measure_in_process(
    python: str, module: str, *args: str, environ: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """What a module of this folder measures, in a fresh process of an interpreter.

    Args:
        python: The interpreter.
        module: It writes a JSON object into the file that is its first argument.
        args: Its other arguments.
        environ: Variables besides those of this process.
    """
    variables = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tools'}"}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out.json")
        run(
            [python, "-m", f"benchmarks.{module}", str(out), *args],
            variables | dict(environ or {}),
        )
        measured: dict[str, Any] = json.loads(out.read_text())
        return measured


def run(command: list[str], environ: dict[str, str] | None = None) -> None:
    """Runs a command.

    Raises:
        SerError: It failed; the end of what it wrote is told.
    """
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        end = "\n".join(done.stderr.splitlines()[-5:])
        raise SerError(f"{' '.join(command)}: exit {done.returncode}; expected 0: {end}")
