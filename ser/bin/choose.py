"""Compares settings, trained under a protocol with validation, on validation speakers alone."""

import argparse
from pathlib import Path

from ser.base.errors import run_program
from ser.base.options import distinct_words, whole_numbers
from ser.corpus.fold_files import choose_folds
from ser.score.model_selection import compare_settings
from ser.score.report.document import markdown


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("exp_dir", type=Path, help="has folds/ and the runs of stage 4")
    parser.add_argument("--systems", required=True, help="settings; the first is compared with")
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--folds", default="", help="all of the protocol's by default")
    return parser.parse_args()


def main() -> None:
    """Prints a table in Markdown."""
    args = parse_args()
    systems = distinct_words("--systems", args.systems)
    seeds = list(map(str, whole_numbers("--seeds", args.seeds)))
    folds = choose_folds(args.exp_dir / "folds", args.folds)
    print(markdown(compare_settings(args.exp_dir, systems, seeds, folds)), end="")


if __name__ == "__main__":
    run_program(main)
