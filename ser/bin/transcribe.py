"""Transcribes utterances by a recogniser of stage 3: greedily, or with a language model."""

import argparse
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ser.base.errors import SerError, run_program
from ser.base.log import log_to_console, logger
from ser.base.options import require_within
from ser.base.process import threads_per_process
from ser.base.record import Stage, require
from ser.feats.speed_copies import of_any_speed
from ser.kaldi.data_dir import read_data_dir
from ser.kaldi.table import Table, read_given_table, write_table
from ser.text.normalise import normalise_transcript

# Of the search with a language model: what each option is by default, its least, its most.
SEARCH = {
    "--order": (5, 1, 10, "of the n-grams of subword units"),
    "--lm-weight": (0.8, 0, 1000, "of the language model beside CTC"),
    "--token-bonus": (2.0, -1000, 1000, "nats a subword unit"),
    "--beam": (16, 1, 1000, "prefixes that are kept"),
}


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recogniser", type=Path, help="folder of stage 3: exp/pretrain/<name>")
    parser.add_argument("feats", type=Path, help="folder of stage 1; WER where it has words")
    parser.add_argument("out", type=Path, help="a new file, for a table of words like text")
    parser.add_argument(
        "--lm-text", type=Path, help="a table like text, of other utterances: n-grams are counted"
    )
    for option, (default, _, _, what) in SEARCH.items():
        parser.add_argument(option, type=type(default), help=f"{what} ({default})")
    parser.add_argument("--ngpu", type=int, default=0, help="1 computes the encoder on a GPU")
    return parser.parse_args()


def main() -> None:
    """Writes the table; prints the WER where the transcripts are known."""
    args = parse_args()
    log_to_console()
    require_within("--ngpu", args.ngpu, 0, 1)
    order, weight, bonus, beam = search_settings(args)
    if args.out.exists() or not args.out.parent.is_dir():
        what = "is there already" if args.out.exists() else "its folder is not there"
        raise SerError(f"{args.out}: {what}; expected a new file in a folder; name another")
    require(args.feats, Stage.FEATURES)
    data = read_data_dir(args.feats)
    lm_text = {} if args.lm_text is None else read_lm_text(args.lm_text, data["utt2spk"])
    # torch takes seconds to import.
    from ser.metrics.wer import word_errors
    from ser.predict.transcripts import load_recogniser, transcripts
    from ser.text.ctc import BeamSearch, greedy_search
    from ser.text.ngram import NgramModel
    from ser.train.engine.distributed import one_device, prepare_process

    prepare_process(threads_per_process(), seed=0)
    recogniser = load_recogniser(args.recogniser, one_device(args.ngpu))
    search = None
    if lm_text:
        tokens = recogniser.tokenizer.encode_all(lm_text, args.lm_text, "name other transcripts")
        ngram = NgramModel(tokens.values(), recogniser.tokenizer.vocab_size, order)
        search = BeamSearch(ngram, weight, bonus, beam)
    heard = transcripts(recogniser, args.feats, search or greedy_search)
    words = dict(tqdm(heard, total=len(data.utts), desc=str(args.out), disable=None))
    write_table(args.out, words)
    logger.info("%s: %s utterances", args.out, len(words))
    errors, num_words = word_errors([data["text"][utt] for utt in words], list(words.values()))
    if num_words:
        print(f"WER {100 * errors / num_words:.1f} %: {errors} errors in {num_words} words")


def search_settings(args: argparse.Namespace) -> list[Any]:
    """The values of the options in ``SEARCH``.

    Raises:
        SerError: One is out of its range, or is given without a language model.
    """
    values = []
    for option, (default, least, most, _) in SEARCH.items():
        given = getattr(args, option.removeprefix("--").replace("-", "_"))
        if given is not None and args.lm_text is None:
            raise SerError(f"{option} {given:g} without --lm-text; expected both")
        require_within(option, given, least, most)
        values.append(default if given is None else given)
    return values


def read_lm_text(path: Path, transcribed: Table) -> Table:
    """Transcripts for a language model, normalised.

    Args:
        path: A table like ``text``.
        transcribed: Has the utterances that are to be transcribed.

    Raises:
        SerError: There are no words, or those of an utterance that is to be transcribed.
    """
    text = {utt: normalise_transcript(words) for utt, words in read_given_table(path).items()}
    if both := sorted(utt for utt in text if of_any_speed(utt) in transcribed):
        raise SerError(
            f"{path}: has {len(both)} of the utterances that are to be transcribed, {both[0]} the "
            "first: the language model would know their words; expected others; leave them out"
        )
    text = {utt: words for utt, words in text.items() if words}
    if not text:
        raise SerError(f"{path}: no words; expected transcripts; name a file like text")
    return text


if __name__ == "__main__":
    run_program(main)
