"""Gives every reader of files many damaged ones, and prints a table of what it made of them.

Usage: tools/fuzz.py [--executions N] [--seed S] [READER ...]

Valid files are damaged at random, without a look at which lines of the reader they reach. A finding
is a place in our code, or in a library, that raises something else than an error of ours.
"""

import argparse
import logging
import random
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), *(str(ROOT / "tests" / part) for part in ("", "faults"))]

from readers import PIECES, READERS, read  # noqa: E402  # behind the path


def damaged(seed: bytes, chance: random.Random) -> bytes:
    """A file with a few pieces cut, doubled or written over."""
    content = seed
    for _ in range(chance.randint(1, 6)):
        at, length = chance.randint(0, len(content)), chance.choice((0, 0, 1, 1, 4, 64))
        other = chance.randint(0, len(content))
        piece = chance.choice(
            (chance.choice(PIECES), chance.randbytes(4), content[other : other + 16], b"")
        )
        content = content[:at] + piece + content[at + length :]
    return content


def findings(name: str, executions: int, chance: random.Random, folder: Path) -> dict[str, bytes]:
    """Where a reader failed, each with a file that makes it."""
    found: dict[str, bytes] = {}
    for _ in range(executions):
        content = damaged(chance.choice(READERS[name].seeds), chance)
        try:
            read(name, content, folder)
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{type(error).__name__} in {last.filename}:{last.lineno}"
            found.setdefault(where, content)
    return found


def main() -> None:
    """A row for each reader, as soon as it is done; exit status 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executions", type=int, default=10_000, help="of each reader (10000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("readers", nargs="*", metavar="READER", help=", ".join(READERS))
    args = parser.parse_args()
    logging.disable()
    warnings.simplefilter("ignore")
    print("| reader | executions | findings | seconds |\n| --- | --: | --: | --: |")
    failed = False
    for name in args.readers or READERS:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            found = findings(name, args.executions, random.Random(args.seed), Path(folder))
        seconds = time.monotonic() - began
        print(f"| {name} | {args.executions} | {len(found)} | {seconds:.0f} |", flush=True)
        for where, content in found.items():
            failed = True
            print(f"{name}: {where}: {content[:300]!r}", file=sys.stderr)
    sys.exit(failed)


if __name__ == "__main__":
    main()
