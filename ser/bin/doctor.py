"""Looks at what a call of run.sh asks for before a stage runs: call it in the recipe's folder.

All at once, each with its remedy: packages that are missing, contradicting options, wrong
configurations, corpora that are not there, stages that are stale, texts that do not fit the BPE,
a disk that is too small. Status 1 where one of them would end a stage; warnings leave it 0. The
options are those of run.sh, without --publish, with the same defaults; only --nj is 1 here.
"""

import argparse
import importlib.util
import json
import os
import shutil
import sys
from pathlib import Path

from ser.base.errors import run_program
from ser.base.log import logger
from ser.doctor.findings import Findings

# What the stages import.
PACKAGES = (
    "filelock jinja2 jiwer joblib kaldiio markdown_it matplotlib numpy pydantic yaml rapidfuzz "
    "safetensors sklearn scipy sentencepiece soundfile soxr tensorboard threadpoolctl torch "
    "torchaudio tqdm"
)
SHOWN = 20  # findings of a level


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stage", type=int, default=0, help="the first stage to run (0)")
    parser.add_argument("--stop-stage", type=int, default=6, help="the last one (6)")
    parser.add_argument("--conf", type=from_here, default=Path("conf"), help="configuration (conf)")
    parser.add_argument("--systems", help="all of <conf>/systems by default")
    parser.add_argument("--protocol", type=Path, help="<conf>/protocol/paper.yaml by default")
    parser.add_argument("--folds", default="", help="all of the protocol's by default")
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--exp-dir", type=Path, help="exp, or exp/<name of conf>, by default")
    parser.add_argument("--recogniser", default=".", help="., none or another recipe")
    parser.add_argument("--nj", type=int, default=1)
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--ngpu", type=int, default=0)
    parser.add_argument("--max-minutes", type=float)
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--cmd", choices=["local", "slurm"], default="local")
    parser.add_argument(
        "--whole",
        action="store_true",
        help="read every file of every finished stage whole, large archives and weights too",
    )
    said = parser.add_mutually_exclusive_group()
    said.add_argument("--json", action="store_true", help="findings as JSON")
    said.add_argument(
        "--read-speech",
        dest="says_read_speech",  # RunOptions.read_speech is what it says
        action="store_true",
        help="print whether local/data.sh is to prepare transcribed speech, true or false",
    )
    return parser.parse_args()


def from_here(text: str) -> Path:
    """A path as run.sh has it: relative to the recipe's folder."""
    return Path(os.path.relpath(text))


def main() -> None:
    """Checks, and prints: errors and warnings on standard error, what is asked for on the other."""
    args = parse_args()
    found = Findings()
    logger.handlers, logger.propagate = [found], False
    check_environment(args)
    read_speech = False
    if not found.kinds:
        # Only now: the packages that they import are there.
        from ser.doctor.options import RunOptions
        from ser.doctor.readiness import look

        asked = RunOptions(args)
        look(asked, found)
        read_speech = not found.messages("error") and asked.read_speech
    if args.json:
        shown = [
            {"kind": kind, "level": level, "message": message}
            for (level, message), kind in found.kinds.items()
        ]
        print(json.dumps({"findings": shown, "read_speech": read_speech}, indent=2))
    else:
        tell(found)
        print(str(read_speech).lower() if args.says_read_speech else summary(args, found))
    if found.messages("error"):
        sys.exit(1)


def check_environment(args: argparse.Namespace) -> None:
    """Packages and programs that the stages need and do not find."""
    missing = [name for name in PACKAGES.split() if importlib.util.find_spec(name) is None]
    if missing:
        logger.error(
            "%s: not installed for %s; expected the project's environment; source path.sh, or "
            "pip install -e . at the top of the checkout",
            *(", ".join(missing), sys.executable),
        )
    script = Path("local/data.sh")
    makes_speech = script.exists() and "make_synthetic" in script.read_text("utf-8", "replace")
    if args.stage == 0 and makes_speech and importlib.util.find_spec("espeakng_loader") is None:
        logger.error(
            "espeakng_loader: not installed; the corpus is generated with it; pip install "
            "espeakng-loader"
        )
    if args.cmd == "slurm" and args.stop_stage > 2 and shutil.which("sbatch") is None:
        logger.error("--cmd slurm: no sbatch on the PATH; expected Slurm; pass --cmd local")


def tell(found: Findings) -> None:
    """A line for each, errors last, where they are seen; of too many the first ones."""
    for level in ("warning", "error"):
        messages = found.messages(level)
        for message in messages[:SHOWN]:
            print(f"{level}: {message}", file=sys.stderr)
        if len(messages) > SHOWN:
            print(f"... and {len(messages) - SHOWN} more (--json lists them)", file=sys.stderr)


def summary(args: argparse.Namespace, found: Findings) -> str:
    """One line."""
    errors, warnings = (len(found.messages(level)) for level in ("error", "warning"))
    return f"stages {args.stage} to {args.stop_stage}: {errors} errors, {warnings} warnings"


if __name__ == "__main__":
    run_program(main)
