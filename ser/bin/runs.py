"""The arguments that stages 4 and 5 share: which systems, seeds and folds, made from what."""

import argparse
from pathlib import Path

from ser.base.options import distinct_words, max_jobs, require_within, whole_numbers
from ser.base.process import default_jobs, threads_per_job
from ser.config.pretraining import refuse_without_recogniser
from ser.corpus.fold_files import choose_folds
from ser.data.trainable import trainable_systems
from ser.train.resolve import FinetuneRun


def run_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser of these arguments."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--conf", type=Path, required=True, help="the recipe's configuration")
    parser.add_argument("--protocol", type=Path, required=True)
    parser.add_argument("--systems", required=True)
    parser.add_argument("--seeds", required=True)
    parser.add_argument("--folds", default="", help="all of the protocol's by default")
    parser.add_argument(
        "--feats", type=Path, required=True, help="features of the emotional speech"
    )
    parser.add_argument("--bpe", type=Path, required=True, help="folder of the BPE model")
    parser.add_argument("--pretrain", type=Path, required=True, help="folder of the encoders")
    parser.add_argument("--exp-dir", type=Path, required=True)
    parser.add_argument(
        "--jobs", type=int, help="runs side by side (one a GPU, or one a core and at most 4)"
    )
    parser.add_argument("--ngpu", type=int, default=0, help="GPUs of the machine to use")
    parser.add_argument(
        "--cmd", choices=["local", "slurm"], default="local", help="where stage 4 trains"
    )
    return parser


def num_jobs(args: argparse.Namespace) -> int:
    """Runs side by side on this machine: as asked, else one a GPU, else one a core, at most 4.

    Raises:
        SerError: None is asked for, or too many.
    """
    require_within("--jobs", args.jobs, 1, max_jobs(args.cmd))
    if args.jobs is None or args.cmd == "slurm":  # whose runs are on other machines
        return int(args.ngpu) or default_jobs()
    return int(args.jobs)


def runs_of(
    args: argparse.Namespace, force: bool = False, deadline: float | None = None
) -> list[FinetuneRun]:
    """Every combination of system, seed and fold.

    Args:
        args: Those of ``run_parser``.
        force: As in ``FinetuneRun``.
        deadline: As in ``FinetuneRun``.

    Raises:
        SerError: A seed is no number, a list is empty or holds a word twice, a number is 0, or a
            system needs the recogniser that is not to be.
    """
    asked = distinct_words("--systems", args.systems)
    systems = trainable_systems(args.conf, asked, args.feats)
    if args.pretrain.parts[:1] == ("none",):  # run.sh --recogniser none
        refuse_without_recogniser(args.conf, systems, systems)
    seeds = whole_numbers("--seeds", args.seeds)
    folds = choose_folds(args.exp_dir / "folds", args.folds)
    num_threads = threads_per_job(num_jobs(args))
    return [
        FinetuneRun(
            conf=args.conf,
            system=system,
            seed=seed,
            fold=fold,
            protocol=args.protocol,
            feats=args.feats,
            bpe=args.bpe,
            pretrain=args.pretrain,
            exp_dir=args.exp_dir,
            num_gpus=args.ngpu,
            num_threads=num_threads,
            force=force,
            deadline=deadline,
        )
        for system in systems
        for seed in seeds
        for fold in folds
    ]
