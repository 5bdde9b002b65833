"""Stage 4: each system, with each seed, for each held-out fold."""

from ser.base.errors import run_program
from ser.base.log import log_to_console
from ser.bin.runs import run_parser, runs_of
from ser.train.grid import finetune_all


def main() -> None:
    """Trains what is not trained yet."""
    args = run_parser(__doc__).parse_args()
    log_to_console()
    finetune_all(runs_of(args), args.jobs)


if __name__ == "__main__":
    run_program(main)
