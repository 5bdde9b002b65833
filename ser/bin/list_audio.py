"""The audio files of a folder and those below it, a line each: for a recipe's local/data.sh.

With a pattern it is a table for prepare_table: the file, and what the named parts of its name say.
"""

import argparse
import os
import sys
from pathlib import Path

from ser.base.errors import run_program
from ser.base.log import log_to_console
from ser.corpus.file_names import read_pattern, table_of_names
from ser.corpus.parsers.parsing import list_audio


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--pattern",
        help="regular expression of the whole name without its extension (with a slash in it, of "
        "the path below the folder); its named parts, (?P<speaker>...), (?P<label>...) and as far "
        "as there are session, gender, text, id, are the columns, and so is any other",
    )
    parser.add_argument(
        "--leave-out-others",
        action="store_true",
        help="leave out files of other names",
    )
    return parser.parse_args()


def main() -> None:
    """Prints the full paths, or the table."""
    args = parse_args()
    log_to_console()
    if args.pattern is None:
        lines = map(os.fsencode, list_audio(args.folder))
    else:
        table = table_of_names(args.folder, read_pattern(args.pattern), args.leave_out_others)
        lines = map(str.encode, table)
    for line in lines:
        sys.stdout.buffer.write(line + b"\n")  # a name need not be text


if __name__ == "__main__":
    run_program(main)
