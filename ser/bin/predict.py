"""Stage 5: each model predicts the fold that it never saw."""

import torch

from ser.base.errors import run_program
from ser.base.log import log_to_console
from ser.bin.runs import run_parser, runs_of
from ser.predict.folds import predict_all


def main() -> None:
    """Writes the tables of predictions."""
    args = run_parser(__doc__).parse_args()
    log_to_console()
    if args.cmd == "slurm":  # whose GPUs need not be here
        args.ngpu = min(args.ngpu, torch.cuda.device_count())
    predict_all(runs_of(args))


if __name__ == "__main__":
    run_program(main)
