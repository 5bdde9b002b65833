"""Generates the known-answer corpus of egs/mini in the layouts of IEMOCAP and LibriSpeech."""

import argparse
from pathlib import Path

from ser.base.errors import SerError, run_program
from ser.base.log import log_to_console, logger
from ser.base.options import require_within
from ser.corpus.synthetic.text import MIN_SENTENCES, MIN_TURNS


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder to make; kept as it is where it exists")
    parser.add_argument("--num-turns", type=int, default=600, help="emotional turns")
    parser.add_argument("--num-sentences", type=int, default=1500, help="read sentences")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    """Generates the corpora once."""
    args = parse_args()
    log_to_console()
    require_within("--num-turns", args.num_turns, MIN_TURNS, 1_000_000)
    require_within("--num-sentences", args.num_sentences, MIN_SENTENCES, 1_000_000)
    if args.out.exists():
        logger.info("%s: there already", args.out)
        return
    try:  # here, since an environment that is not ours may lack the voice
        from ser.corpus.synthetic.corpus import write_corpora
    except ModuleNotFoundError as error:
        raise SerError(
            f"{error.name}: no such Python package; expected the voice of the generated corpus; "
            "run tools/setup.sh, or pip install espeakng-loader"
        ) from error
    write_corpora(
        args.out,
        num_emotion_turns=args.num_turns,
        num_read_sentences=args.num_sentences,
        seed=args.seed,
    )


if __name__ == "__main__":
    run_program(main)
