"""Stage 0: LibriSpeech -> data/asr_train and data/asr_valid."""

import argparse
from pathlib import Path

from ser.base.errors import SerError, faults_listed_beside, run_program
from ser.base.log import log_to_console
from ser.corpus.prepare import prepare_librispeech


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path, help="LibriSpeech, the folder of the subsets")
    parser.add_argument("train_out", type=Path, help="data directory to write")
    parser.add_argument("valid_out", type=Path, help="data directory to write")
    parser.add_argument("--train-subsets", nargs="+", required=True)
    parser.add_argument("--valid-subsets", nargs="*", default=[])
    parser.add_argument(
        "--valid-speakers", nargs="*", default=[], help="held out of the training subsets"
    )
    return parser.parse_args()


def main() -> None:
    """Prepares both data directories."""
    args = parse_args()
    log_to_console()
    if args.train_out.resolve() == args.valid_out.resolve():
        raise SerError(f"{args.valid_out}: named twice; expected two folders; name another")
    with faults_listed_beside(args.train_out):
        prepare_librispeech(
            args.root,
            args.train_out,
            args.valid_out,
            args.train_subsets,
            args.valid_subsets,
            args.valid_speakers,
        )


if __name__ == "__main__":
    run_program(main)
