"""Stage 2: transcripts -> SentencePiece BPE."""

import argparse
from pathlib import Path

from ser.base.errors import run_program
from ser.base.log import log_to_console
from ser.base.record import Record, Stage
from ser.config.load import load_config
from ser.config.schema import BpeConfig
from ser.kaldi.data_dir import read_data_dir, require_data_dir
from ser.text.bpe import write_bpe


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="data directory with the transcripts")
    parser.add_argument("out", type=Path, help="folder for bpe.model")
    parser.add_argument("--conf", type=Path, required=True, help="holds bpe.yaml")
    return parser.parse_args()


def main() -> None:
    """Trains the model."""
    args = parse_args()
    log_to_console()
    config = load_config(args.conf / "bpe.yaml", BpeConfig)
    inputs = {str(args.data): require_data_dir(args.data)}
    record = Record(args.out, Stage.BPE, config.model_dump(), inputs)
    write_bpe(record, read_data_dir(args.data)["text"].values(), config, args.data / "text")


if __name__ == "__main__":
    run_program(main)
