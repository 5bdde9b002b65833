"""Looks at what a call of run.sh asks for before any stage runs.

Wrong configurations are told all at once. Prints whether local/data.sh is to prepare transcribed
speech, true or false.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

from ser.base.errors import SerError, run_program
from ser.base.options import distinct_words
from ser.base.record import read_record, require
from ser.config.features import load_features
from ser.config.load import load_config
from ser.config.pretraining import (
    encoders_needed,
    needs_read_speech,
    refuse_without_recogniser,
)
from ser.config.protocol import ProtocolConfig
from ser.config.schema import LabelsConfig
from ser.config.systems import load_system, trained_systems
from ser.corpus.fold_lists import choose_folds

HERE, NONE = ".", "none"  # what --recogniser says beside a folder


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conf", type=Path, required=True, help="the recipe's configuration")
    parser.add_argument("--systems", required=True, help="that are asked for")
    parser.add_argument("--protocol", type=Path, required=True)
    parser.add_argument("--folds", default="", help="that are asked for")
    parser.add_argument("--exp-dir", type=Path, required=True)
    parser.add_argument("--recogniser", required=True, help="., none or another recipe")
    parser.add_argument("--pretrain", type=Path, required=True, help="folder of its encoders")
    parser.add_argument("--stop-stage", type=int, required=True, help="the last stage to run")
    return parser.parse_args()


def main() -> None:
    """Checks, and prints."""
    args = parse_args()
    systems = distinct_words("--systems", args.systems)
    checks: list[Callable[[], object]] = [
        lambda: load_config(args.conf / "labels.yaml", LabelsConfig),
        lambda: load_features(args.conf),
        lambda: load_config(args.protocol, ProtocolConfig),
        *(lambda name=name: load_system(args.conf, name) for name in systems),
    ]
    raise_all(checks)
    check_recogniser(args, systems)
    folds = args.exp_dir / "folds"
    protocol = load_config(args.protocol, ProtocolConfig)
    if (folds / "run.json").exists() and read_record(folds)["config"] == protocol.model_dump():
        choose_folds(folds, args.folds)
    needed = args.recogniser == HERE and needs_read_speech(args.conf, systems)
    print("true" if needed else "false")


def raise_all(checks: list[Callable[[], object]]) -> None:
    """Makes some checks.

    Raises:
        SerError: Some found faults; each fault is told once.
    """
    faults: dict[str, None] = {}
    for check in checks:
        try:
            check()
        except SerError as error:
            faults[str(error)] = None
    if faults:
        raise SerError("; ".join(faults))


def check_recogniser(args: argparse.Namespace, systems: list[str]) -> None:
    """Holds the systems to the recogniser that there is to be.

    Raises:
        SerError: A system needs one and there is to be none, or the other recipe has not trained
            the encoder that it starts from.
    """
    if args.recogniser == NONE and args.stop_stage > 0:
        # Whether the corpus has words, so that a CTC head can be, is known after stage 0.
        heads = {n for n, system in trained_systems(args.conf, systems).items() if system.ctc_alpha}
        refuse_without_recogniser(args.conf, systems, [n for n in systems if n not in heads])
    elif args.recogniser not in (HERE, NONE) and args.stop_stage > 3:
        for name in encoders_needed(args.conf, systems):
            require(args.pretrain / name, 3)


if __name__ == "__main__":
    run_program(main)
