"""torchrun, with the exit status of the program: 75 where this left with a checkpoint."""

import signal
import sys

from ser.base.errors import STOPPED_STATUS, SerError, reason_of, run_program


def main() -> None:
    """Takes torchrun's command line."""
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    try:
        run.main(sys.argv[1:])
    except ChildFailedError as error:  # each said what happened to it
        statuses = {failure.exitcode for failure in error.failures.values()}
        sys.exit(STOPPED_STATUS if STOPPED_STATUS in statuses else 1)
    except (ValueError, AssertionError) as error:  # of its options
        raise SerError(
            f"torchrun: {reason_of(error)}; expected the options of torchrun --help; correct them"
        ) from error
    except SignalException as error:  # on SIGTERM they leave with a checkpoint too
        sys.exit(STOPPED_STATUS if error.sigval == signal.SIGTERM else 128 + error.sigval)


if __name__ == "__main__":
    run_program(main)
