"""Rebuilds RESULTS.md from the shipped predictions and fails on any difference."""

import argparse
import sys
from pathlib import Path

from ser.base.errors import SerError, run_program
from ser.score.report.files import ReportFiles
from ser.score.verify import verify

SHOWN = 20  # findings; one changed decision moves a hundred figures


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("exp_dir", type=Path, help="folder of an experiment, such as exp")
    parser.add_argument("--results", type=Path, help="a published copy of RESULTS.md")
    parser.add_argument("--conf", type=Path, help="whose paper_results.yaml to hold it to")
    parser.add_argument(
        "--partial", action="store_true", help="RESULTS.partial.md, of some of the folds"
    )
    return parser.parse_args()


def main() -> None:
    """Prints what is wrong, a line each, changed files first; status 1 where anything is."""
    args = parse_args()
    if args.conf is not None and not args.conf.is_dir():
        raise SerError(f"--conf {args.conf}: no such folder; expected the recipe's configuration")
    verdict = verify(args.exp_dir, args.results, args.conf, args.partial)
    for finding in verdict.wrong[:SHOWN]:
        print(finding, file=sys.stderr)
    if len(verdict.wrong) > SHOWN:
        print(f"... and {len(verdict.wrong) - SHOWN} more", file=sys.stderr)
    if verdict.wrong:
        sys.exit(1)
    files = ReportFiles(args.exp_dir, args.partial)
    print(
        f"{args.exp_dir}: verified; the predictions give {files.report.name} and "
        f"{files.results.name}"
    )
    for what in verdict.unchecked:
        print(f"not verified: {what}")


if __name__ == "__main__":
    run_program(main)
