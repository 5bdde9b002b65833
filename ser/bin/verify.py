"""Rebuilds RESULTS.md from the shipped predictions and fails on any difference."""

import argparse
import sys
from pathlib import Path

from ser.base.errors import run_program
from ser.score.verify import verify

SHOWN = 20  # findings; one changed decision moves a hundred figures


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("exp_dir", type=Path, help="folder of an experiment, such as exp")
    parser.add_argument("--results", type=Path, help="a published copy of RESULTS.md")
    return parser.parse_args()


def main() -> None:
    """Prints what is wrong, a line each, changed files first; status 1 where anything is."""
    args = parse_args()
    findings = verify(args.exp_dir, args.results)
    for finding in findings[:SHOWN]:
        print(finding, file=sys.stderr)
    if len(findings) > SHOWN:
        print(f"... and {len(findings) - SHOWN} more", file=sys.stderr)
    if findings:
        sys.exit(1)
    print(f"{args.exp_dir}: verified; the predictions give RESULTS.md and results.json")


if __name__ == "__main__":
    run_program(main)
