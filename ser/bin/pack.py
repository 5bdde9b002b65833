"""Packs trained models into one folder, and a .tar.gz of it, that needs nothing else to predict.

By default all folds of a seed as an ensemble. ser-predict and ser.load take the folder.
"""

import argparse
from pathlib import Path

from ser.base.errors import run_program
from ser.base.log import log_to_console
from ser.base.options import distinct_words
from ser.release.pack import Packing, pack


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("system", type=Path, help="exp/<system>")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folds", default="", help="some folds: one model, or a smaller ensemble")
    parser.add_argument("--average", action="store_true", help="average the weights of the folds")
    parser.add_argument("--data", default="not stated", help="corpora, for the model card")
    parser.add_argument("--licence", default="not stated", help="of the weights, for the card")
    parser.add_argument("--data-licence", default="not stated", help="of the corpora, for the card")
    return parser.parse_args()


def main() -> None:
    """Writes the package."""
    args = parse_args()
    log_to_console()
    packing = Packing(
        system=args.system,
        seed=args.seed,
        folds=distinct_words("--folds", args.folds) if args.folds else (),
        average=args.average,
        data=args.data,
        licence=args.licence,
        data_licence=args.data_licence,
    )
    pack(packing, args.out)


if __name__ == "__main__":
    run_program(main)
