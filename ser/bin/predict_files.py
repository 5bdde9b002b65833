"""Predicts the emotion of audio files with a finished run of stage 4.

Prints a table with tabs: path, label, the posterior of each class, and the words where the system
has a CTC head. A file that cannot be read is named on standard error; the others go on, and the
exit status is 1.
"""

import argparse
import sys
from pathlib import Path

from ser.base.errors import SerError, run_program
from ser.infer.files import load_trained, predict_files


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="exp/<system>/seed<s>/fold<k>")
    parser.add_argument("audio", type=Path, nargs="+", help="audio files of any rate and format")
    return parser.parse_args()


def main() -> None:
    """Prints a line for each file, as soon as its batch is through."""
    args = parse_args()
    trained = load_trained(args.run)
    header = ["path", "label", *(f"post_{name}" for name in trained.labels)]
    print("\t".join(header + ["words"] * (trained.tokenizer is not None)))
    failed = False
    for path, result in predict_files(trained, args.audio):
        if isinstance(result, SerError):
            print(f"error: {result}", file=sys.stderr)
            failed = True
            continue
        row = [str(path), result.best_of(trained.labels)]
        row += [f"{posterior:.6f}" for posterior in result.posteriors]
        print("\t".join(row + ([] if result.words is None else [result.words])), flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    run_program(main)
