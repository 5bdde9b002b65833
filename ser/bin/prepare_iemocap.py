"""Stage 0: IEMOCAP -> data/ser."""

import argparse
from pathlib import Path

from ser.base.errors import SerError, faults_listed_beside, run_program
from ser.base.log import log_to_console
from ser.config.labels import CountsConfig, LabelsConfig
from ser.config.load import load_config
from ser.corpus.prepare import prepare_iemocap


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path, help="IEMOCAP_full_release")
    parser.add_argument("out", type=Path, help="data directory to write")
    parser.add_argument("--conf", type=Path, required=True, help="labels.yaml and counts.yaml")
    parser.add_argument("--counts", type=Path, help="instead of counts.yaml in --conf")
    parser.add_argument(
        "--partial", action="store_true", help="accept a corpus that differs from the counts"
    )
    parser.add_argument(
        "--attribute",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="add the table utt2NAME from lines of <published id><TAB><value>",
    )
    return parser.parse_args()


def main() -> None:
    """Prepares the data directory."""
    args = parse_args()
    log_to_console()
    attributes = dict(pair.split("=", 1) for pair in args.attribute if "=" in pair)
    if len(attributes) < len(args.attribute):
        raise SerError(
            f"--attribute {' '.join(args.attribute)}: expected NAME=FILE, each name once"
        )
    with faults_listed_beside(args.out):
        prepare_iemocap(
            args.root,
            args.out,
            load_config(args.conf / "labels.yaml", LabelsConfig),
            load_config(args.counts or args.conf / "counts.yaml", CountsConfig),
            args.partial,
            {name: Path(path) for name, path in attributes.items()},
        )


if __name__ == "__main__":
    run_program(main)
