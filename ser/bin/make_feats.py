"""Stage 1: data directories -> log-mel features in Kaldi archives."""

import argparse
from pathlib import Path

from ser.base.errors import SerError, run_program
from ser.base.log import log_to_console
from ser.base.options import distinct_words, doubled, max_processes, require_within
from ser.config.features import load_features
from ser.feats.extract import extract_features
from ser.feats.speed_copies import speed_dir, speed_factors
from ser.kaldi.data_dir import require_data_dir


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="+", help="data directories")
    parser.add_argument("--out", type=Path, required=True, help="one folder for each goes in here")
    parser.add_argument("--conf", type=Path, required=True, help="holds fbank.yaml")
    parser.add_argument("--systems", help="whose copies at other speeds are wanted (none)")
    parser.add_argument("--nj", type=int, default=1, help="processes")
    return parser.parse_args()


def main() -> None:
    """Extracts the features of each directory, and of its copies at other speeds."""
    args = parse_args()
    log_to_console()
    require_within("--nj", args.nj, 1, max_processes())
    config = load_features(args.conf)
    systems = distinct_words("--systems", args.systems) if args.systems is not None else []
    speeds = speed_factors(args.conf, systems)
    if twice := doubled(data.name for data in args.data):
        raise SerError(
            f"{' '.join(map(str, args.data))}: several are called '{twice[0]}', and would be one "
            "folder of features; expected other names; rename one"
        )
    for data in args.data:
        require_data_dir(data)  # all of them before the hours that the first may take
    for data in args.data:
        out = args.out / data.name
        for factor in (1.0, *speeds.get(data.name, [])):
            extract_features(data, speed_dir(out, factor), config, args.nj, factor)


if __name__ == "__main__":
    run_program(main)
