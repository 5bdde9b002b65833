"""Estimates a full training run by arithmetic on its configuration.

Without --hours a run of pre-training has LibriSpeech's 960 h an epoch, fine-tuning four fifths of
IEMOCAP.
"""

import argparse
from pathlib import Path

from ser.base.errors import run_program
from ser.base.options import require_within
from ser.train.estimate import H100, describe_plan, read_card
from ser.train.plan import read_plans


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "confs", type=Path, nargs="+", metavar="CONF", help="conf/pretrain/* or conf/systems/*"
    )
    parser.add_argument("--hours", type=float, help="hours of speech an epoch")
    parser.add_argument("--epochs", type=int, help="of each training, instead of its own")
    parser.add_argument("--vocab-size", type=int, help="instead of what conf/bpe.yaml gives")
    parser.add_argument("--num-gpus", type=int, nargs="+", default=[1, 8])
    parser.add_argument(
        "--measured",
        type=Path,
        metavar="gpu.json",
        help="what tools/gpu.sh measured on a card (an H100 by its data sheet)",
    )
    return parser.parse_args()


def main() -> None:
    """Prints an estimate for each training: two of a system whose head is trained first."""
    args = parse_args()
    for option in ("hours", "epochs", "vocab_size", "num_gpus"):
        value = getattr(args, option)
        for number in value if isinstance(value, list) else [value]:
            least = 1e-3 if option == "hours" else 1
            require_within(f"--{option.replace('_', '-')}", number, least, 1e7)
    card = read_card(args.measured) if args.measured else H100
    options = (args.vocab_size, args.hours, args.epochs)
    plans = [plan for conf in args.confs for plan in read_plans(conf, *options)]
    if args.hours is None:
        print(
            "assumed: 960 h of LibriSpeech or four fifths of IEMOCAP, and copies at other speeds; "
            "--hours: yours\n"
        )
    print("\n\n".join(describe_plan(plan, args.num_gpus, card) for plan in plans))


if __name__ == "__main__":
    run_program(main)
