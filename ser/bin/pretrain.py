"""Stage 3: the encoder as a CTC speech recogniser."""

import argparse
import sys
from pathlib import Path

from ser.base.errors import STOPPED_STATUS, run_program
from ser.base.log import log_to_console, logger
from ser.base.options import MAX_SEED, distinct_words, require_within
from ser.base.process import threads_per_process
from ser.config.pretraining import ImportConfig, encoders_needed
from ser.train.engine.shutdown import deadline_after


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conf", type=Path, required=True, help="the recipe's configuration")
    parser.add_argument("--systems", required=True, help="whose encoders are wanted")
    parser.add_argument("--data", type=Path, required=True, help="folder of asr_train")
    parser.add_argument("--feats", type=Path, required=True, help="folder of their features")
    parser.add_argument("--bpe", type=Path, required=True, help="folder of the BPE model")
    parser.add_argument("--out", type=Path, required=True, help="one folder for each encoder")
    parser.add_argument(
        "--weights", default="", help="folder of a published encoder, or hub to fetch it"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ngpu", type=int, default=0, help="one process each, by torchrun")
    parser.add_argument("--max-minutes", type=float, help="then write a checkpoint and leave")
    parser.add_argument(
        "--import-only",
        action="store_true",
        help="import published weights, train nothing; status 75 where something is left to train",
    )
    parser.add_argument("--force", action="store_true", help="move another run aside")
    return parser.parse_args()


def main() -> None:
    """Trains the encoders that the systems start from."""
    args = parse_args()
    log_to_console()
    require_within("--seed", args.seed, 0, MAX_SEED)
    deadline = deadline_after(args.max_minutes)
    encoders = encoders_needed(args.conf, distinct_words("--systems", args.systems))
    if not encoders:
        logger.info("none of the systems starts from a pre-trained encoder: nothing to do")
        return
    # torch takes seconds to import.
    from ser.train.pretrain import PretrainRun, pretrain, resolve_pretraining
    from ser.train.published import import_encoder
    from ser.train.published_weights import require_published_features

    for name, config in encoders.items():
        if isinstance(config, ImportConfig):
            require_published_features(args.conf, name, config)
            import_encoder(config, args.weights, args.out / name)
            continue
        run = PretrainRun(
            config_path=args.conf / "pretrain" / f"{name}.yaml",
            train_data=args.data / "asr_train",
            train_feats=args.feats / "asr_train",
            valid_feats=args.feats / "asr_valid",
            bpe=args.bpe,
            folder=args.out / name,
            seed=args.seed,
            num_gpus=args.ngpu,
            num_threads=threads_per_process(),
            force=args.force,
            deadline=deadline,
        )
        if not args.import_only:
            pretrain(run)
        elif not resolve_pretraining(run)[-1].is_finished():
            sys.exit(STOPPED_STATUS)


if __name__ == "__main__":
    run_program(main)
