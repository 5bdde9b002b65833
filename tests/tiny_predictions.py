"""Predictions as stage 5 leaves them, of few utterances, and stage 6 on them."""

import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from ser.base.files import digest_json
from ser.base.writing import write_json
from ser.bin import score
from ser.corpus.fold_files import fold_list_name, read_fold
from ser.kaldi.table import write_table

LABELS = ("ang", "hap", "neu", "sad")
SYSTEMS = ("cnn_blstm_sa", "transformer_tl_mtl", "mine")


def write_predictions(
    exp_dir: Path, labels: Sequence[str] = LABELS, systems: Sequence[str] = SYSTEMS
) -> None:
    """Systems, two seeds, three folds of ten utterances; two right of three."""
    chance = random.Random("predictions")
    (exp_dir / "folds").mkdir(parents=True)
    for fold in "123":
        parts = {f"{f}-{i}": "test" if f == fold else "train" for f in "123" for i in range(10)}
        write_table(exp_dir / "folds" / f"fold{fold}", parts)
    digest = digest_json({fold: read_fold(exp_dir / "folds", fold) for fold in "123"})
    write_json(
        exp_dir / "folds" / "run.json",
        {
            "identity": "f", "stage": 0, "config": {"fold_unit": "session"}, "inputs": {},
            "notes": {"digest": digest},
        },
    )  # fmt: skip
    seen = {f: {f"{f}-{i}": {"line": "yes" if i < 4 else "no"} for i in range(10)} for f in "123"}
    overlaps = {"speaker": {"num_utts": 0, "values": 0}}
    priors = {"heard": {"ang": 20}, "test": {"ang": 10}}
    fold = {"num_heard": 20, "num_test": 10, "overlaps": overlaps, "priors": priors}
    audited = {
        "folds": dict.fromkeys("123", fold), "baselines": {"majority": {"wa": 0.3, "ua": 0.25}},
        "missing": ["dialogue"], "seen": seen, "fold_digest": digest,
    }  # fmt: skip
    write_json(exp_dir / "audit.json", audited)
    folder = exp_dir / "predictions"
    for system in systems:
        (folder / system).mkdir(parents=True)
        for seed in "12":
            for fold in "123":
                columns = ["utt", "spk", "session", "fold_list", "ref", "hyp"]
                columns += [f"post_{x}" for x in labels]
                lines = [[*columns, "ref_text"]]
                for i in range(10):
                    ref = labels[i % len(labels)]
                    hyp = ref if chance.random() < 0.66 else chance.choice(labels)
                    posteriors = [
                        str(round(0.7 if x == hyp else 0.3 / (len(labels) - 1), 6)) for x in labels
                    ]
                    lines.append(
                        [
                            f"{fold}-{i}",
                            fold,
                            fold,
                            fold_list_name(exp_dir / "folds", fold),
                            ref,
                            hyp,
                            *posteriors,
                            "ONE TWO",
                        ]
                    )
                if system == "transformer_tl_mtl":
                    heard = ["ctc_text", *(["ONE"] * 10)]
                    lines = [[*line, cell] for line, cell in zip(lines, heard, strict=True)]
                (folder / system / f"seed{seed}_fold{fold}.tsv").write_text(
                    "".join("\t".join(line) + "\n" for line in lines)
                )
    attributes = ["utt\tgender\ttype\tscene\tcue"]
    for fold in "123":
        attributes += [
            f"{fold}-{i}\t{'FM'[i % 2]}\tscripted\ts{i}\t{('words', 'prosody')[i % 2]}"
            for i in range(10)
        ]
    (folder / "attributes.tsv").write_text("\n".join(attributes) + "\n")
    write_json(
        folder / "run.json",
        {
            "identity": "i", "stage": 5, "config": {}, "notes": {},
            "inputs": {
                run: run
                for system in systems for seed in "12" for fold in "123"
                for run in [f"{exp_dir}/{system}/seed{seed}/fold{fold}"]
            },
            "git_commit": "abc123", "versions": {"python": "3.11.2", "torch": "2.14.1"},
            "finished": "2026-12-10T12:00:00+00:00", "wall_seconds": 12.5,
        },
    )  # fmt: skip


def write_logs(exp_dir: Path) -> None:
    """A fine-tuning run with its record, and a recogniser's log with a line being written."""
    run = exp_dir / "transformer_tl_mtl" / "seed1" / "fold2"
    run.mkdir(parents=True)
    identity = f"{exp_dir}/transformer_tl_mtl/seed1/fold2"
    write_json(
        run / "run.json",
        {
            "identity": identity, "stage": 4, "config": {}, "inputs": {},
            "notes": {"train_seconds": 3600.0},
        },
    )  # fmt: skip
    epochs = [
        {"scope": "step", "epoch": 1, "step": 50, "loss": 9.0},
        {"scope": "epoch", "epoch": 1, "step": 60, "emotion_loss": 1.4, "ctc_loss": 5.0},
        {"scope": "epoch", "epoch": 2, "step": 120, "emotion_loss": 1.0, "ctc_loss": 4.0},
    ]
    (run / "train.jsonl").write_text("".join(json.dumps(e) + "\n" for e in epochs))
    for name in ("small", "small.20261210-120000"):
        (exp_dir / "pretrain" / name).mkdir(parents=True)
        epoch = {"loss": 9.0, "valid_loss": 8.25, "valid_wer": 0.5, "seconds": 1800}
        lines = [json.dumps({"scope": "epoch", "epoch": i, "step": i} | epoch) for i in (1, 2)]
        (exp_dir / "pretrain" / name / "train.jsonl").write_text("\n".join(lines) + '\n{"sco')


def run_score(monkeypatch: pytest.MonkeyPatch, exp_dir: Path, *more: str | Path) -> None:
    options = {
        "--exp-dir": exp_dir,
        "--pretrain": exp_dir / "pretrain",
        "--conf": exp_dir.parent / "conf",
        "--systems": " ".join(SYSTEMS),
        "--seeds": "1 2",
        "--folds": "1 2 3",
        "--command": "./run.sh --stage 0 --stop-stage 6",
    }
    words = [str(word) for option in (*options.items(), more) for word in option]
    monkeypatch.setattr(sys, "argv", ["score", *words])
    score.main()


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
