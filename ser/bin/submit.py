"""Runs one command as a job of Slurm and waits for its end."""

import argparse
import shlex
from pathlib import Path

from ser.base.errors import run_program
from ser.base.log import log_to_console
from ser.train.launch.slurm import SlurmJob, run_on_slurm


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conf", type=Path, required=True, help="sbatch's options, one a line")
    parser.add_argument("--out", type=Path, required=True, help="folder of script and output")
    parser.add_argument("name", help="of the job")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    return parser.parse_args()


def main() -> None:
    """Submits the command."""
    args = parse_args()
    log_to_console()
    command = shlex.join(args.command)
    run_on_slurm(SlurmJob(name=args.name, command=command, conf=args.conf, folder=args.out))


if __name__ == "__main__":
    run_program(main)
