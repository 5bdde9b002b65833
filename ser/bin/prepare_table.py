"""Stage 0: a CSV or TSV with a row for each utterance, or a Kaldi data directory -> data/ser."""

import argparse
from pathlib import Path

from ser.base.errors import faults_listed_beside, run_program
from ser.base.log import log_to_console
from ser.config.labels import LabelsConfig
from ser.config.load import load_config
from ser.corpus.prepare import prepare_table


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path, help="a file, or a Kaldi data directory with utt2emo")
    parser.add_argument("out", type=Path, help="data directory to write")
    parser.add_argument("--conf", type=Path, required=True, help="holds labels.yaml")
    parser.add_argument(
        "--allow-pipes", action="store_true", help="run the commands of a wav.scp (read them first)"
    )
    return parser.parse_args()


def main() -> None:
    """Prepares the data directory."""
    args = parse_args()
    log_to_console()
    labels = load_config(args.conf / "labels.yaml", LabelsConfig)
    with faults_listed_beside(args.out):
        prepare_table(args.table, args.out, labels, args.allow_pipes)


if __name__ == "__main__":
    run_program(main)
