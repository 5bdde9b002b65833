"""Prints whether some systems need transcribed speech, true or false."""

import argparse
from pathlib import Path

from ser.base.errors import run_program
from ser.base.options import distinct_words
from ser.config.pretraining import needs_read_speech


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conf", type=Path, required=True, help="the recipe's configuration")
    parser.add_argument("--systems", required=True, help="that are asked for")
    return parser.parse_args()


def main() -> None:
    """Reads the configurations of the systems and of the encoders that they start from."""
    args = parse_args()
    needed = needs_read_speech(args.conf, distinct_words("--systems", args.systems))
    print("true" if needed else "false")


if __name__ == "__main__":
    run_program(main)
