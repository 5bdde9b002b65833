"""Simulates evaluations of known truth and prints how often the intervals hold it."""

import argparse

from tqdm import tqdm

from ser.base.errors import run_program
from ser.base.options import require_within
from ser.score.coverage import World, coverage
from ser.score.stats.intervals import Metric

SESSION_SDS, SPEAKER_SDS = (0, 3, 5, 8), (0, 3)  # points
CASES: tuple[tuple[str, Metric, tuple[float, float]], ...] = (
    ("WA", "wa", (1, 0)),
    ("UA", "ua", (1, 0)),
    ("difference of WA", "wa", (1, -1)),
)


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=2000, help="simulated evaluations a row")
    parser.add_argument("--rounds", type=int, default=400, help="of the bootstrap in each")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    """Prints a table in Markdown."""
    args = parse_args()
    for option, value in (("--worlds", args.worlds), ("--rounds", args.rounds)):
        require_within(option, value, 1, 1_000_000)
    print("| figure | session sd | speaker sd | plain, covers | width | ours, covers | width |")
    print("| --- | --: | --: | --: | --: | --: | --: |")
    rows = [(case, s, p) for case in CASES for s in SESSION_SDS for p in SPEAKER_SDS]
    for (name, metric, contrast), session_sd, speaker_sd in tqdm(rows, unit="row", disable=None):
        world = World(session_sd=session_sd / 100, speaker_sd=speaker_sd / 100)
        both = (
            coverage(world, metric, contrast, args.worlds, args.seed, num_rounds)
            for num_rounds in (args.rounds, None)
        )
        figures = " | ".join(f"{100 * one.covered:.1f} % | {100 * one.width:.1f}" for one in both)
        print(f"| {name} | {session_sd} | {speaker_sd} | {figures} |", flush=True)


if __name__ == "__main__":
    run_program(main)
