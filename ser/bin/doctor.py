"""Looks at what a call of run.sh asks for before a stage runs: call it in the recipe's folder.

All at once, each with its remedy: packages that are missing, contradicting options, wrong
configurations, corpora that are not there, stages that are stale, texts that do not fit the BPE,
a disk that is too small. Status 1 where one of them would end a stage; warnings leave it 0. The
options are those of run.sh, without --publish, with the same defaults; only --nj is 1 here.
"""

import argparse
import importlib.util
import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ser.base.errors import SerError, describe, run_program

if TYPE_CHECKING:  # else only once the packages that it imports are known to be there
    from ser.doctor.options import RunOptions

# What the stages import.
PACKAGES = (
    "filelock jinja2 jiwer joblib kaldiio markdown_it matplotlib numpy pydantic yaml rapidfuzz "
    "safetensors sklearn scipy sentencepiece soundfile soxr tensorboard threadpoolctl torch "
    "torchaudio tqdm"
)
SHOWN = 20  # findings of a level
NOT_ASKED = ("systems", "json", "read_speech")  # options of this program alone


class Finding(NamedTuple):
    """Something that would end a stage (``error``), or that one should know (``warning``)."""

    kind: str
    level: str
    message: str


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
    found, asked = look(args)
    errors = [finding for finding in found if finding.level == "error"]
    read_speech = not errors and asked is not None and asked.read_speech
    if args.json:
        shown = [finding._asdict() for finding in found]
        print(json.dumps({"findings": shown, "read_speech": read_speech}, indent=2))
    else:
        tell(found)
        print(str(read_speech).lower() if args.read_speech else summary(args, found))
    if errors:
        sys.exit(1)


def look(args: argparse.Namespace) -> tuple[list[Finding], "RunOptions | None"]:
    """Everything that is found, each once, and what is asked for where that could be looked at."""
    found = dict.fromkeys(environment(args))
    if found:
        return list(found), None
    from ser.base.log import logger
    from ser.doctor.readiness import checks

    asked = asked_for(args)
    warnings = Warnings()
    logger.handlers, logger.propagate = [warnings], False
    told = set()
    for kind, check in checks(asked):
        try:
            check()
        except (SerError, OSError) as error:
            if describe(error) not in told:
                found[Finding(kind, "error", describe(error))] = None
            told.add(describe(error))
        for message in warnings.take():
            found[Finding(kind, "warning", message)] = None
    return list(found), asked


class Warnings(logging.Handler):
    """Keeps what a check warns of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps one."""
        self._messages.append(record.getMessage().removeprefix("warning: "))

    def take(self) -> list[str]:
        """What came since the last call."""
        messages, self._messages = self._messages, []
        return messages


def environment(args: argparse.Namespace) -> list[Finding]:
    """Packages and programs that the stages need and do not find."""
    missing = [name for name in PACKAGES.split() if importlib.util.find_spec(name) is None]
    needs = []
    if missing:
        needs.append(
            f"{', '.join(missing)}: not installed for {sys.executable}; expected the project's "
            "environment; source path.sh, or pip install -e . at the top of the checkout"
        )
    script = Path("local/data.sh")
    makes_speech = script.exists() and "make_synthetic" in script.read_text(encoding="utf-8")
    if args.stage == 0 and makes_speech and importlib.util.find_spec("espeakng_loader") is None:
        needs.append(
            "espeakng_loader: not installed; the corpus is generated with it; pip install "
            "espeakng-loader"
        )
    if args.cmd == "slurm" and args.stop_stage > 2 and shutil.which("sbatch") is None:
        needs.append("--cmd slurm: no sbatch on the PATH; expected Slurm; pass --cmd local")
    return [Finding("environment", "error", message) for message in needs]


def asked_for(args: argparse.Namespace) -> "RunOptions":
    """The call with the defaults of run.sh, and the variables of db.sh as it has them."""
    from ser.doctor.options import RunOptions, experiment_of

    names = sorted(path.stem for path in (args.conf / "systems").glob("*.yaml"))
    words = " ".join(names) if args.systems is None else args.systems
    given = {name: value for name, value in vars(args).items() if name not in NOT_ASKED} | {
        "protocol": args.protocol or args.conf / "protocol" / "paper.yaml",
        "systems_text": words,
        "exp_dir": args.exp_dir or experiment_of(args.conf),
        "corpora": variables(Path("db.sh")),
    }
    return RunOptions(**given)


def variables(script: Path) -> dict[str, str]:
    """The environment as the recipe's ``db.sh`` leaves it."""
    if not script.exists():
        return dict(os.environ)
    words = ["bash", "-c", ". ./db.sh && env -0"]
    said = subprocess.run(words, capture_output=True, check=False)
    if said.returncode:
        reason = os.fsdecode(said.stderr).strip()
        raise SerError(f"db.sh: {reason}; expected variables of corpora; correct it")
    pairs = (line.partition("=") for line in os.fsdecode(said.stdout).split("\0"))
    return {name: value for name, _, value in pairs}


def tell(found: list[Finding]) -> None:
    """A line for each, errors last, where they are seen; of too many the first ones."""
    for level in ("warning", "error"):
        messages = [finding.message for finding in found if finding.level == level]
        for message in messages[:SHOWN]:
            print(f"{level}: {message}", file=sys.stderr)
        if len(messages) > SHOWN:
            print(f"... and {len(messages) - SHOWN} more (--json lists them)", file=sys.stderr)


def summary(args: argparse.Namespace, found: list[Finding]) -> str:
    """One line."""
    levels = [finding.level for finding in found]
    return (
        f"stages {args.stage} to {args.stop_stage}: {levels.count('error')} errors, "
        f"{levels.count('warning')} warnings"
    )


if __name__ == "__main__":
    run_program(main)
