"""Stage 0: the cross-validation folds of a protocol."""

import argparse
from pathlib import Path

from ser.base.errors import run_program
from ser.base.log import log_to_console, logger
from ser.config.load import load_config
from ser.config.protocol import ProtocolConfig
from ser.corpus.fold_files import choose_folds
from ser.corpus.prepare import prepare_folds


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="data/ser")
    parser.add_argument("out", type=Path, help="folder of the fold lists")
    parser.add_argument("--protocol", type=Path, required=True)
    parser.add_argument("--folds", default="", help="those that later stages will use (all)")
    return parser.parse_args()


def main() -> None:
    """Writes the fold lists, and holds those that are asked for to them."""
    args = parse_args()
    log_to_console()
    protocol = load_config(args.protocol, ProtocolConfig)
    if protocol.seed and protocol.fold_unit != "random" and protocol.validation != "random_share":
        logger.warning(
            "%s: seed %s, and nothing is drawn: units are dealt in one way; name other "
            "folds by groups",
            *(args.protocol, protocol.seed),
        )
    prepare_folds(args.data, args.out, protocol)
    choose_folds(args.out, args.folds)


if __name__ == "__main__":
    run_program(main)
