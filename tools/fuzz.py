"""Gives every reader of files many damaged ones, and prints a table of what it made of them.

Usage: tools/fuzz.py [--guided] [--executions N] [--seed S] [READER ...]

Valid files are damaged at random, without a look at which lines of the reader they reach; or, with
--guided, so that they reach new ones (Atheris: pip install atheris). A finding is a place in our
code, or in a library, that raises something else than an error of ours.
"""

import argparse
import contextlib
import importlib.util
import logging
import os
import random
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), *(str(ROOT / "tests" / part) for part in ("", "faults"))]

Reads = Callable[[bytes], str]  # where a reader failed on a file, or ""


def damaged(seed: bytes, pieces: list[bytes], chance: random.Random) -> bytes:
    """A file with a few pieces cut, doubled or written over."""
    content = seed
    for _ in range(chance.randint(1, 6)):
        at, length = chance.randint(0, len(content)), chance.choice((0, 0, 1, 1, 4, 64))
        other = chance.randint(0, len(content))
        piece = chance.choice(
            (chance.choice(pieces), chance.randbytes(4), content[other : other + 16], b"")
        )
        content = content[:at] + piece + content[at + length :]
    return content


def reads(name: str, readers: ModuleType, folder: Path) -> Reads:
    """A reader as a function of the content."""

    def where(content: bytes) -> str:
        try:
            readers.read(name, content, folder)
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            return f"{type(error).__name__} in {last.filename}:{last.lineno}"
        return ""

    return where


def drawn(
    name: str, readers: ModuleType, args: argparse.Namespace, read: Reads
) -> dict[str, bytes]:
    """Where a reader failed on files damaged at random, each with a file that makes it."""
    found: dict[str, bytes] = {}
    chance = random.Random(args.seed)
    for _ in range(args.executions):
        content = damaged(chance.choice(readers.READERS[name].seeds), readers.PIECES, chance)
        if where := read(content):
            found.setdefault(where, content)
    return found


def guided(
    name: str, readers: ModuleType, args: argparse.Namespace, read: Reads
) -> dict[str, bytes]:
    """The same on files that Atheris makes, in a process of their own: it never returns."""
    import atheris

    with tempfile.TemporaryDirectory() as folder:
        seeds, found = Path(folder, "seeds"), Path(folder, "found")
        seeds.mkdir()
        found.mkdir()
        for number, seed in enumerate(readers.READERS[name].seeds):
            (seeds / str(number)).write_bytes(seed)

        def one_input(content: bytes) -> None:
            if where := read(content):
                (found / where.replace("/", "|")[-200:]).write_bytes(content)

        if (child := os.fork()) == 0:
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 2)
            options = [f"-runs={args.executions}", f"-seed={args.seed}", "-max_len=100000"]
            atheris.Setup([sys.argv[0], *options, str(seeds)], one_input)
            atheris.Fuzz()
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        ended = {f"ended with status {status}": b""} if status else {}
        return ended | {p.name.replace("|", "/"): p.read_bytes() for p in found.iterdir()}


def main() -> None:
    """A row for each reader, as soon as it is done; exit status 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--guided", action="store_true", help="by the lines that are reached")
    parser.add_argument("--executions", type=int, default=10_000, help="of each reader (10000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("readers", nargs="*", metavar="READER", help="all, where none is named")
    args = parser.parse_args()
    logging.disable()
    warnings.simplefilter("ignore")
    watched: contextlib.AbstractContextManager[object] = contextlib.nullcontext()
    if args.guided:
        if importlib.util.find_spec("atheris") is None:
            parser.error("--guided needs Atheris; pip install atheris")
        import atheris

        watched = atheris.instrument_imports(include=["ser"])
    with watched:
        readers = importlib.import_module("readers")
    if unknown := set(args.readers) - set(readers.READERS):
        parser.error(f"{min(unknown)}: expected some of {', '.join(readers.READERS)}")
    print("| reader | executions | findings | seconds |\n| --- | --: | --: | --: |")
    failed = False
    find = guided if args.guided else drawn
    for name in args.readers or readers.READERS:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            found = find(name, readers, args, reads(name, readers, Path(folder)))
        seconds = time.monotonic() - began
        print(f"| {name} | {args.executions} | {len(found)} | {seconds:.0f} |", flush=True)
        for where, content in found.items():
            failed = True
            print(f"{name}: {where}: {content[:300]!r}", file=sys.stderr)
    sys.exit(failed)


if __name__ == "__main__":
    main()
