"""Counts what tests/faults proves, as the README tells it: a table in Markdown.

    python tests/faults/counts.py [--kills 200] [--writes N] [--seed S]

All faults of the table, every write of every program and 200 kills take 15 to 30 minutes on two
cores; --writes N draws N writes of each call. Status 1 where anything was not made good.
"""

# ruff: noqa: E402 (the folders of the tests come onto the path first)

import argparse
import os
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

from table import ROWS
from test_every_write import CASES, NAMES, all_tries, faults_of
from test_fault_table import test_refused_and_made_good
from test_kills import kill_often
from undisturbed import Undisturbed, undisturbed_in

Count = tuple[int, int]  # tried, made good


def count_table(reference: Undisturbed) -> Iterator[tuple[str, Count]]:
    """The faults of the table, by call."""
    tried, good = Counter[str](), Counter[str]()
    for row in ROWS:
        reference.copy()
        tried[row.call] += 1
        try:
            test_refused_and_made_good(row, reference)
        except AssertionError as error:
            tell(f"{row.call}: {row.what}: {error}")
        else:
            good[row.call] += 1
    for call, number in tried.items():
        yield f"faults in the table, {call}", (number, good[call])


def count_writes(
    reference: Undisturbed, most: int | None, seed: int
) -> Iterator[tuple[str, Count]]:
    """Writes that failed, or were the last before a kill or a power cut, by call."""
    for (name, over), shown in zip(CASES, NAMES, strict=True):
        tries = list(all_tries(name, over, reference))
        if most is not None:
            tries = random.Random(seed).sample(tries, min(most, len(tries)))
        faults = faults_of(name, over, reference, tries)
        for fault in faults:
            tell(fault)
        yield f"writes of {shown}", (len(tries), len(tries) - len(faults))


def count_kills(reference: Undisturbed, kills: int, seed: int) -> Iterator[tuple[str, Count]]:
    """Kills at random moments of the whole experiment."""
    done, wrong = kill_often(reference, kills, seed)
    for fault in wrong:
        tell(fault)
    yield f"kills at random moments, seed {seed}", (done, 0 if wrong else done)


def tell(fault: str) -> None:
    """What was not made good, as soon as it is known."""
    print(fault, file=sys.stderr, flush=True)


@contextmanager
def undisturbed() -> Iterator[Undisturbed]:
    """An experiment, and the place of its copies as the current directory."""
    with tempfile.TemporaryDirectory(prefix="faults.") as top:
        reference = undisturbed_in(Path(top))
        before = Path.cwd()
        os.chdir(reference.work)
        yield reference
        os.chdir(before)


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--writes", type=int, help="of each call (all)")
    parser.add_argument("--seed", type=int, default=1, help="of moments and of what is drawn")
    return parser.parse_args()


def main() -> None:
    """Tries all, prints a line as soon as it is known."""
    args = parse_args()
    parts: list[Callable[[Undisturbed], Iterator[tuple[str, Count]]]] = [
        count_table,
        lambda reference: count_writes(reference, args.writes, args.seed),
        lambda reference: count_kills(reference, args.kills, args.seed),
    ]
    total = Counter[str]()
    print("| what | tried | made good |\n|---|--:|--:|", flush=True)
    with undisturbed() as reference:
        for part in parts:
            for what, (tried, good) in part(reference):
                total.update(tried=tried, good=good)
                print(f"| {what} | {tried} | {good} |", flush=True)
    print(f"| all | {total['tried']} | {total['good']} |")
    sys.exit(total["tried"] != total["good"])


if __name__ == "__main__":
    main()
