"""The audio files of a folder and those below it, a line each: for a recipe's local/data.sh."""

import argparse
import os
import sys
from pathlib import Path

from ser.base.errors import run_program
from ser.base.log import log_to_console
from ser.corpus.layout import list_audio


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    return parser.parse_args()


def main() -> None:
    """Prints the full paths."""
    args = parse_args()
    log_to_console()
    for path in list_audio(args.folder):
        sys.stdout.buffer.write(os.fsencode(path) + b"\n")  # a name need not be text


if __name__ == "__main__":
    run_program(main)
