"""Faults in stages 3 to 5."""

from damage import cut, flipped, gone, held, interrupted, key, replaced, sealed
from experiment import FOLD, SYSTEM
from row import CTC, PAPER, SYSTEM_YAML, Row, full, misspelt, word

PRETRAIN = [
    Row("pretrain", "no configuration", gone(CTC), "ctc.yaml: no such encoder"),
    Row("pretrain", "unknown key", key(CTC, seeed=1), "unknown key 'seeed'"),
    Row("pretrain", "text for a number", key(CTC, selection="lats"), "'selection' is 'lats'"),
    Row("pretrain", "system gone", gone(SYSTEM_YAML), f"{SYSTEM}.yaml: no such system"),
    Row("pretrain", "running twice", held("exp/pretrain/ctc"), "another run is writing here"),
    word("pretrain", "--max-minutes|0", "--max-minutes 0: expected more than 0"),
    word("pretrain", "--systems|none_such", "none_such"),
    word("pretrain", f"--systems|{SYSTEM} {SYSTEM}", "occurs twice"),
    Row(
        "pretrain",
        "other configuration",
        key(CTC, selection="best_valid_wer"),
        "ctc: holds another run .config.selection was last.*--force moves it aside",
        anew=False,
    ),
    Row(
        "pretrain",
        "checkpoint damaged",
        interrupted("pretrain", flipped("exp/pretrain/ctc/checkpoint/optimizer.pt")),
        r"optimizer\.pt: not what was written .SHA-256 differs.*remove exp/pretrain/ctc/checkpoint",
        remove="exp/pretrain/ctc/checkpoint",
        mend=("pretrain",),
    ),
]
FINETUNE = [
    Row("fold1", "no system", gone(SYSTEM_YAML), f"{SYSTEM}.yaml: no such system"),
    misspelt("fold1", SYSTEM_YAML, "ctc_alhpa", "ctc_alpha"),
    Row("fold1", "weight below 0", key(SYSTEM_YAML, ctc_alpha=-1.0), "'ctc_alpha' is -1.0"),
    Row("fold1", "no such encoder", key(SYSTEM_YAML, init="ctcc"), "ctcc"),
    word("fold1", "--task|9", "--task 9: expected 0 to 2"),
    word("fold1", "--seeds|one", "--seeds 'one': expected whole numbers"),
    word("fold1", "--folds|4", "--folds 4: no such fold"),
    word("fold1", "--max-minutes|-1", "--max-minutes -1: expected more than 0"),
    word("fold1", "--pretrain|exp/nowhere", "exp/nowhere/ctc: not there"),
    Row("fold1", "other protocol", key(PAPER, num_folds=2), "num_folds was 3 and is 2"),
    Row(
        "fold1",
        "no fold lists",
        gone("exp/folds"),
        "exp/folds: no fold lists.*--stage 0",
        mend=("folds",),
    ),
    Row("fold1", "running twice", held(FOLD), "another run is writing here"),
    Row(
        "fold1",
        "checkpoint of another run",
        interrupted("fold1", replaced(f"{FOLD}/checkpoint/progress.json", "fold1", "fold2")),
        "checkpoint: the checkpoint of another run.*or remove",
        remove=f"{FOLD}/checkpoint",
        mend=("fold1",),
    ),
    Row(
        "fold1",
        "class of nobody",
        sealed("dump/fbank/ser", replaced("dump/fbank/ser/utt2emo", " ang", " joy")),
        "has the class 'joy'",
        left=FOLD,
    ),
    Row(
        "fold1",
        "table cut",
        sealed("dump/fbank/ser", cut("dump/fbank/ser/utt2spk", 30)),
        "the file was cut",
        left=FOLD,
    ),
    Row(
        "fold1",
        "ark cut",
        sealed("dump/fbank/ser", cut("dump/fbank/ser/feats.ark")),
        "no readable matrix",
        left=FOLD,
    ),
    Row(
        "fold1",
        "other configuration",
        key(SYSTEM_YAML, ctc_alpha=0.5),
        "ctc_alpha was 0.6 and is 0.5.*--force moves it aside",
        anew=False,
    ),
    full("fold1", "fold1/.model.safetensors", FOLD),
    full("fold1", "fold1/train.log", FOLD, what="no log"),
    full("fold1", "fold1/tensorboard", FOLD, what="no TensorBoard"),
    full("fold1", "fold1/train.jsonl", FOLD, what="no metrics log"),
    *(
        Row(
            "fold1",
            f"checkpoint: {name} {what}",
            interrupted("fold1", fault(f"{FOLD}/checkpoint/{name}")),
            said,
            remove=f"{FOLD}/checkpoint",
            mend=("fold1",),
        )
        for name in ("model.safetensors", "optimizer.pt", "progress.json")
        for what, fault, said in (
            ("gone", gone, "no such file|not what was written"),
            ("cut", cut, "not JSON|not what was written"),
        )
    ),
]
PREDICT = [
    Row(
        "predict",
        "not trained",
        gone(FOLD),
        f"{FOLD}: not trained.*--stage 4",
        mend=("fold1",),
        anew=False,
    ),
    Row(
        "predict",
        "weights gone",
        gone(f"{FOLD}/model.safetensors"),
        "is missing.*--stage 4",
        mend=("fold1",),
    ),
    Row(
        "predict",
        "weights cut",
        cut(f"{FOLD}/model.safetensors"),
        "bytes instead of.*--stage 4",
        mend=("fold1",),
    ),
    Row(
        "predict",
        "BPE flipped",
        flipped(f"{FOLD}/bpe.model"),
        "was changed.*--stage 4",
        mend=("fold1",),
    ),
    Row(
        "predict",
        "other configuration",
        key(SYSTEM_YAML, ctc_alpha=0.5),
        "another configuration.*--stage 4",
    ),
    full("predict", "seed1_fold2", "exp/predictions"),
]
