"""Gives every reader of files many damaged ones, and prints a table of what it made of them.

Usage: tools/fuzz.py [--executions N] [READER ...]
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), *(str(ROOT / "tests" / part) for part in ("", "faults"))]

from readers import READERS  # noqa: E402  # behind the path


def main() -> None:
    """A row for each reader, as soon as it is done; exit status 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executions", type=int, default=10_000, help="of each reader (10000)")
    parser.add_argument("readers", nargs="*", metavar="READER", help=", ".join(READERS))
    args = parser.parse_args()
    print("| reader | executions | findings | seconds |\n| --- | --: | --: | --: |")
    failed = False
    for name in args.readers or READERS:
        began = time.monotonic()
        test = f"tests/faults/test_fuzz.py::test_a_reader_says_what_is_wrong[{name}]"
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:randomly", test],
            cwd=ROOT,
            env={**os.environ, "SER_FUZZ_EXAMPLES": str(args.executions)},
            capture_output=True,
            text=True,
            check=False,
        )
        findings = ended.stdout.count("Falsifying example")
        if ended.returncode:
            failed = True
            print(ended.stdout[-4000:], file=sys.stderr)
        seconds = time.monotonic() - began
        print(f"| {name} | {args.executions} | {findings} | {seconds:.0f} |", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
