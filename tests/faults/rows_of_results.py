"""Faults in scores, packages and verification."""

from damage import both, cut, flipped, gone, held, holds, key, replaced, sealed
from experiment import FOLD
from row import SYSTEM_YAML, TSV, WAV, Row, foreign, full, word


def edited(what: str, old: str, new: str, said: str) -> Row:
    """A table of predictions that somebody edited, record and all."""
    return Row("score", what, sealed("exp/predictions", replaced(TSV, old, new)), said)


SCORE = [
    edited("column gone", "ref_text", "text", "the columns are"),
    edited("no such class", "\tang\t", "\tjoy\t", "ref is 'joy'"),
    edited("no number", "\t0.", "\tx.", "expected a number from 0 to 1"),
    edited("not a probability", "\t0.", "\t7.", "expected a number from 0 to 1"),
    edited("cell gone", "\tGO AWAY", "", r"has \d+ columns"),
    edited("other fold list", "fold1@", "fold1@0", "was predicted under"),
    edited("no speaker", "\t1F\t", "\t\t", "spk is empty"),
    edited("of another fold", "1F-ang", "2F-ang", "2F-ang|stands in"),
    Row(
        "score",
        "table cut",
        sealed("exp/predictions", cut(TSV)),
        r"the last line, \d+, is cut|columns",
    ),
    Row("score", "table empty", sealed("exp/predictions", holds(TSV, b"")), "seed1_fold1.tsv"),
    word("score", "--folds|9", "--folds 9: no such fold"),
    word("score", "--seeds|2", "not among the runs that stage 5 predicted.*--stage 5"),
    word("score", "--systems|none_such", "none_such"),
    Row("score", "running twice", held("exp/results.json"), "another run is writing here"),
    Row(
        "score",
        "losses cut",
        cut("exp/pretrain/ctc/train.jsonl"),
        r"ctc/train\.jsonl: changed since the run ended.*put it back",
    ),
    Row("score", "system edited", key(SYSTEM_YAML, ctc_alpha=0.5), "ctc_alpha was .*--stage 4"),
    Row("score", "audit cut", cut("exp/audit.json"), r"audit.json:\d+: not JSON"),
    full("score", "results.json", "exp/figures|partial"),
    full("score", "reliability.png", "partial", what="figures full"),
]
PACK = [
    word("pack", "--folds|9", "fold 9 is not trained"),
    word("pack", "--seed|7", "seed7: no fold is trained"),
    Row(
        "pack",
        "weights cut",
        cut(f"{FOLD}/model.safetensors"),
        "model.safetensors has .*--stage 4",
        mend=("fold1",),
    ),
    Row("pack", "weights flipped", flipped(f"{FOLD}/model.safetensors"), "fold1", mend=("fold1",)),
    Row(
        "pack",
        "table of others",
        replaced(TSV, "GO AWAY", "GO AWAYS"),
        "not of .*as it is now.*--stage 5",
        mend=("predict",),
    ),
    foreign("pack", "model"),
    Row(
        "pack",
        "a file of others in it",
        holds("model/notes.txt", b""),
        r"model: holds notes\.txt, no part of a package, which would be lost",
        anew=False,
    ),
    full("pack", "/.model.partial", "partial", said="No space|room on the disk"),
    full("pack", "model.tar.gz", "model", what="archive full"),
    *(
        Row(
            "ser_predict",
            f"{name} {what}",
            fault(f"model/{name}"),
            rf"model/?.*{name}",
            mend=("pack",),
            remove="model",
        )
        for name in ("package.json", "fold1.safetensors", "bpe.model")
        for what, fault in (("gone", gone), ("cut", cut), ("a bit flipped", flipped))
    ),
    Row("ser_predict", "a recording cut", cut(WAV), r"^error: corpus/wavs/1F-ang\.wav"),
    Row("ser_predict", "a recording empty", holds(WAV, b""), r"^error: corpus/wavs/1F-ang\.wav"),
    Row(
        "pack",
        "weights flipped, no predictions",
        both(gone("exp/predictions"), flipped(f"{FOLD}/model.safetensors")),
        "model.safetensors was changed",
    ),
    Row("ser_predict", "no recordings", gone("corpus/wavs"), "corpus/wavs: no such file"),
    word("ser_predict", "--threshold|2", "threshold"),
    word("ser_predict", "--window|0", "window"),
    word("ser_predict", "--batch|0", "batch"),
    word("ser_predict", "--format|nothing", "invalid choice", status=2),
]
VERIFY = [
    Row(
        "verify",
        "no results",
        gone("exp/results.json"),
        "results.json: no such file",
        mend=("score",),
    ),
    Row(
        "verify",
        "results cut",
        cut("exp/results.json"),
        r"results.json:\d+: not JSON",
        mend=("score",),
    ),
]
