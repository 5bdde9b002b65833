"""Runs one command as a job of Slurm and waits for its end."""

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

from ser.base.errors import STOPPED_STATUS, SerError, run_program
from ser.base.log import log_to_console
from ser.train.launch.slurm import SlurmJob, run_on_slurm


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conf", type=Path, required=True, help="sbatch's options, one a line")
    parser.add_argument("--out", type=Path, required=True, help="folder of script and output")
    parser.add_argument(
        "--import-first",
        action="store_true",
        help="call the program here with --import-only; no job where nothing is left to train",
    )
    parser.add_argument("name", help="of the job")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    return parser.parse_args()


def main() -> None:
    """Submits the command."""
    args = parse_args()
    log_to_console()
    if not args.command:
        raise SerError(f"{args.name}: no command; expected one to submit; write it behind the name")
    if args.import_first:
        places = [i for i, word in enumerate(args.command) if word.startswith("ser.bin.")]
        if not places:
            raise SerError(
                f"--import-first: {args.command[0]} starts none of our programs; expected the like "
                "of python -m ser.bin.pretrain; leave the option out"
            )
        # The last one, behind what starts it, as torchrun.
        words = [sys.executable, "-m", *args.command[places[-1] :], "--import-only"]
        status = subprocess.run(words, check=False).returncode
        if status != STOPPED_STATUS:
            sys.exit(status)
    command = shlex.join(args.command)
    run_on_slurm(SlurmJob(name=args.name, command=command, conf=args.conf, folder=args.out))


if __name__ == "__main__":
    run_program(main)
