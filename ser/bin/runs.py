"""The arguments that stages 4 and 5 share: which systems, seeds and folds, made from what."""

import argparse
from pathlib import Path

from ser.base.errors import SerError
from ser.base.options import distinct_words
from ser.train.device import threads_per_job
from ser.train.finetune import FinetuneRun


def run_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser of these arguments."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--conf", type=Path, required=True, help="the recipe's configuration")
    parser.add_argument("--protocol", type=Path, required=True)
    parser.add_argument("--systems", required=True)
    parser.add_argument("--seeds", required=True)
    parser.add_argument("--folds", required=True)
    parser.add_argument(
        "--feats", type=Path, required=True, help="features of the emotional speech"
    )
    parser.add_argument("--bpe", type=Path, required=True, help="folder of the BPE model")
    parser.add_argument("--pretrain", type=Path, required=True, help="folder of the encoders")
    parser.add_argument("--exp-dir", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side")
    parser.add_argument("--ngpu", type=int, default=0)
    parser.add_argument("--force", action="store_true", help="move other runs aside")
    return parser


def runs_of(args: argparse.Namespace) -> list[FinetuneRun]:
    """Every combination of system, seed and fold.

    Raises:
        SerError: A seed is no number, or a list is empty or holds a word twice.
    """
    systems = distinct_words("--systems", args.systems)
    seeds = distinct_words("--seeds", args.seeds)
    folds = distinct_words("--folds", args.folds)
    if not all(seed.isdecimal() for seed in seeds):
        raise SerError(f"--seeds '{args.seeds}': expected whole numbers")
    if args.jobs < 1:
        raise SerError(f"--jobs {args.jobs}: expected 1 or more")
    return [
        FinetuneRun(
            conf=args.conf,
            system=system,
            seed=int(seed),
            fold=fold,
            protocol=args.protocol,
            feats=args.feats,
            bpe=args.bpe,
            pretrain=args.pretrain,
            exp_dir=args.exp_dir,
            num_gpus=args.ngpu,
            num_threads=threads_per_job(args.jobs),
            force=args.force,
        )
        for system in systems
        for seed in seeds
        for fold in folds
    ]
