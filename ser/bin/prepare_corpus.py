"""Stage 0: a corpus of a published layout -> data/ser."""

import argparse
from pathlib import Path

from ser.base.errors import faults_listed_beside, run_program
from ser.base.log import log_to_console
from ser.base.options import distinct_words
from ser.config.labels import LabelsConfig
from ser.config.load import load_config
from ser.corpus.parsers.registry import READERS
from ser.corpus.prepare import prepare_corpus


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", choices=sorted(READERS))
    parser.add_argument("root", type=Path, help="where the corpus lies")
    parser.add_argument("out", type=Path, help="data directory to write")
    parser.add_argument("--conf", type=Path, required=True, help="holds labels.yaml")
    parser.add_argument("--speakers", help="keep these alone (all)")
    return parser.parse_args()


def main() -> None:
    """Prepares the data directory."""
    args = parse_args()
    log_to_console()
    speakers = [] if args.speakers is None else distinct_words("--speakers", args.speakers)
    labels = load_config(args.conf / "labels.yaml", LabelsConfig)
    with faults_listed_beside(args.out):
        prepare_corpus(args.corpus, args.root, args.out, labels, speakers)


if __name__ == "__main__":
    run_program(main)
