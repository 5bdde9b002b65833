"""Stage 4: each system, with each seed, for each held-out fold."""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

from ser.base.errors import SerError, run_program
from ser.base.log import log_to_console, logger
from ser.bin.runs import num_jobs, run_parser, runs_of
from ser.config.systems import trained_systems
from ser.train.engine.shutdown import deadline_after
from ser.train.launch.local import encode_first, finetune_all, unfinished_runs
from ser.train.launch.slurm import finetune_on_slurm


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = run_parser(__doc__)
    parser.add_argument("--max-minutes", type=float, help="then write checkpoints and leave")
    parser.add_argument("--force", action="store_true", help="move other runs aside")
    parser.add_argument("--slurm-conf", type=Path, default=Path("conf/slurm.conf"))
    parser.add_argument(
        "--encode", action="store_true", help="compute what frozen encoders give, train nothing"
    )
    parser.add_argument("--task", type=int, help="this run alone, here (from 0, folds fastest)")
    return parser.parse_args()


def main() -> None:
    """Trains what is not trained yet."""
    args = parse_args()
    log_to_console()
    # torchrun's processes train each run together; so does a task of Slurm, which is one process.
    in_this_process = args.task is not None or "WORLD_SIZE" in os.environ
    num_processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if in_this_process:
        args.cmd, args.jobs = "local", num_processes
    asked = runs_of(args, args.force, deadline_after(args.max_minutes))
    trained = trained_systems(args.conf, [run.system for run in asked])
    runs = [run for run in asked if run.system in trained]
    if not runs:
        logger.info("no system is trained here: stage 5 fits the baselines")
        return
    if args.encode:
        encode_first(list(unfinished_runs(runs).values()))
        return
    if args.task is not None:
        if args.task not in range(len(runs)):
            raise SerError(f"--task {args.task}: expected 0 to {len(runs) - 1}")
        runs = [runs[args.task]]
    if in_this_process:
        from ser.train.finetune import finetune  # torch, which takes seconds to import

        for run in runs:
            finetune(replace(run, num_gpus=min(run.num_gpus, num_processes)))
    elif args.cmd == "slurm":
        folder = args.exp_dir / "slurm"
        finetune_on_slurm(runs, args.jobs, args.slurm_conf, folder, sys.argv[1:])
    else:
        finetune_all(runs, num_jobs(args))


if __name__ == "__main__":
    run_program(main)
