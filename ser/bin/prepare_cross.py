"""Stage 0: the data directories of several recipes -> one, for training across corpora."""

import argparse
from pathlib import Path

from ser.base.errors import faults_listed_beside, run_program
from ser.base.log import log_to_console
from ser.config.labels import LabelsConfig
from ser.config.load import load_config
from ser.corpus.cross import CrossConfig
from ser.corpus.prepare import prepare_cross


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="data directory to write")
    parser.add_argument("--conf", type=Path, required=True, help="holds cross.yaml and labels.yaml")
    return parser.parse_args()


def main() -> None:
    """Prepares the data directory."""
    args = parse_args()
    log_to_console()
    cross = load_config(args.conf / "cross.yaml", CrossConfig)
    labels = load_config(args.conf / "labels.yaml", LabelsConfig)
    with faults_listed_beside(args.out):
        prepare_cross({name: Path(path) for name, path in cross.corpora.items()}, args.out, labels)


if __name__ == "__main__":
    run_program(main)
