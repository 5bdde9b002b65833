"""A whole experiment in small, from audio to a report, made by the programs themselves.

Its paths are relative, and its records say neither date nor seconds nor command: a copy of it that
is made again after a fault must be the same to the byte.
"""

import contextlib
import json
import os
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import soundfile
import yaml
from programs import Said, call
from tiny import FBANK, encoder_config, optimizer_config, system_config, training_config
from tiny import write_config as write
from tiny_recipe import LABELS, PROTOCOL, WORDS
from tiny_training import PACE

from ser.base.writing import write_json
from ser.config.schema import BpeConfig, PretrainConfig

LENGTHS = [13000 + 500 * i for i in range(24)]  # samples
RATE = 16000
CORPUS = Path("corpus")
SYSTEM = "transformer_tl_mtl"
_RUNS = (
    "--conf", "conf", "--protocol", "conf/protocol/paper.yaml", "--systems", SYSTEM, "--seeds", "1",
    "--feats", "dump/fbank/ser", "--bpe", "exp/bpe", "--pretrain", "exp/pretrain",
    "--exp-dir", "exp",
)  # fmt: skip
# Name of a call: the program and its words, in the order of an experiment.
CALLS: dict[str, tuple[str, ...]] = {
    "read": (
        "prepare_librispeech", "corpus/LibriSpeech", "data/asr_train", "data/asr_valid",
        "--train-subsets", "train-clean-5", "--valid-speakers", "2",
    ),
    "table": ("prepare_table", "corpus/corpus.csv", "data/ser", "--conf", "conf"),
    "folds": ("make_folds", "data/ser", "exp/folds", "--protocol", "conf/protocol/paper.yaml"),
    "audit": ("audit", "data/ser", "exp", "--protocol", "conf/protocol/paper.yaml"),
    "feats": (
        "make_feats", "data/asr_train", "data/asr_valid", "data/ser", "--out", "dump/fbank",
        "--conf", "conf",
    ),
    "bpe": ("train_bpe", "data/asr_train", "exp/bpe", "--conf", "conf"),
    "pretrain": (
        "pretrain", "--conf", "conf", "--systems", SYSTEM, "--data", "data", "--feats",
        "dump/fbank", "--bpe", "exp/bpe", "--out", "exp/pretrain",
    ),
    "fold1": ("finetune", *_RUNS, "--task", "0"),
    "fold2": ("finetune", *_RUNS, "--task", "1"),
    "fold3": ("finetune", *_RUNS, "--task", "2"),
    "predict": ("predict", *_RUNS),
    "score": (
        "score", "--conf", "conf", "--systems", SYSTEM, "--seeds", "1", "--feats",
        "dump/fbank/ser", "--pretrain", "exp/pretrain", "--exp-dir", "exp", "--command", "./run.sh",
    ),
    "pack": ("pack", f"exp/{SYSTEM}", "--out", "model"),
    "verify": ("verify", "exp"),
    "ser_predict": ("ser_predict", "model", "corpus/wavs", "--format", "tsv"),
}  # fmt: skip
FOLD = f"exp/{SYSTEM}/seed1/fold1"
# What each call writes.
OUTPUTS: dict[str, tuple[str, ...]] = {
    "read": ("data/asr_train", "data/asr_valid"),
    "table": ("data/ser",),
    "folds": ("exp/folds",),
    "audit": ("exp/audit.json", "exp/audit.md"),
    "feats": ("dump/fbank",),
    "bpe": ("exp/bpe",),
    "pretrain": ("exp/pretrain/ctc",),
    "fold1": (FOLD,),
    "predict": ("exp/predictions",),
    "score": ("exp/results.json", "exp/RESULTS.md", "exp/report.html", "exp/figures"),
    "pack": ("model", "model.tar.gz"),
    "verify": (),
    "ser_predict": (),
}
OF_THE_CALL = {"finished": "-", "wall_seconds": 0.0, "command": "-"}  # of run.json


def write_corpus() -> None:
    """Three sessions of two speakers with four emotions, and two who read."""
    chance = np.random.default_rng(0)
    rows = ["path,label,speaker,session,gender,text"]
    (CORPUS / "wavs").mkdir(parents=True)
    turns = [(spk, emotion) for spk in ("1F", "1M", "2F", "2M", "3F", "3M") for emotion in WORDS]
    for (spk, emotion), length in zip(turns, LENGTHS, strict=True):
        name = f"wavs/{spk}-{emotion}.wav"
        soundfile.write(CORPUS / name, chance.normal(0, 0.1, length), RATE, subtype="PCM_16")
        rows.append(f"{name},{emotion},{spk},{spk[0]},{spk[1].lower()},{WORDS[emotion]}")
    (CORPUS / "corpus.csv").write_text("\n".join(rows) + "\n")
    for spk, num_utts in (("1", 8), ("2", 4)):
        chapter = CORPUS / "LibriSpeech" / "train-clean-5" / spk / "1"
        chapter.mkdir(parents=True)
        lines = []
        for number in range(num_utts):
            utt = f"{spk}-1-{number:04}"
            noise = chance.normal(0, 0.1, LENGTHS[number])
            soundfile.write(chapter / f"{utt}.flac", noise, RATE, subtype="PCM_16")
            lines.append(f"{utt} {list(WORDS.values())[number % 4]}\n")
        (chapter / f"{spk}-1.trans.txt").write_text("".join(lines))


def write_conf() -> None:
    """The configuration of one system and its recogniser: two steps an epoch, all checkpointed."""
    conf = Path("conf")
    training = training_config(batch_size_utts=8, max_epochs=2, checkpoint_steps=1)
    system = system_config(SYSTEM, model=encoder_config(num_blocks=1), training=training)
    write(conf / "labels.yaml", LABELS)
    write(conf / "fbank.yaml", FBANK)
    write(conf / "bpe.yaml", BpeConfig(num_pieces=24, character_coverage=1.0))
    write(conf / "protocol" / "paper.yaml", PROTOCOL)
    write(conf / "systems" / f"{SYSTEM}.yaml", system)
    pretraining = PretrainConfig(
        encoder=system.model,
        ctc=system.ctc,
        optimizer=optimizer_config(),
        training=training_config(batch_size_utts=4, max_epochs=2, checkpoint_steps=1),
        selection="last",
        allow_missing_subsets=False,
    )
    write(conf / "pretrain" / "ctc.yaml", pretraining)


def build() -> None:
    """The whole experiment, in the current directory."""
    write_corpus()
    write_conf()
    for name in CALLS:
        said = do(name)
        assert said.status == 0, (name, said.err)


def do(name: str, *more: str) -> Said:
    """A call of the experiment, with further words."""
    with still():
        return call(*CALLS[name], *more)


@contextmanager
def still() -> Iterator[None]:
    """Nothing that differs from call to call is written, and nothing is drawn, which takes long."""
    ticks = count()
    clock = SimpleNamespace(monotonic=lambda: next(ticks) * 1e-6)
    picture = SimpleNamespace(savefig=lambda path, **_: path.write_bytes(b"a picture"))

    def write_record(path: Path, values: dict[str, object]) -> None:
        write_json(path, {key: OF_THE_CALL.get(key, value) for key, value in values.items()})

    with (
        patch.dict(os.environ, SLURM_CPUS_PER_TASK="1"),  # threads would not outlive a fork
        patch("ser.train.engine.loop.time", clock),
        patch("ser.base.record.write_json", write_record),
        patch("ser.base.record.git_commit", lambda: "0123456789ab"),
        patch("ser.score.report.figures._draw", lambda *_: {"reliability.png": picture}),
    ):
        yield


def undone(name: str) -> None:
    """Takes away what a call wrote."""
    for output in map(Path, OUTPUTS[name]):
        shutil.rmtree(output) if output.is_dir() else output.unlink()


def content(root: Path = Path()) -> dict[str, object]:
    """What all files of an experiment say, by path; logs and locks left out."""
    return {
        path.relative_to(root).as_posix(): said_by(path.absolute(), version(path))
        for path in sorted(root.rglob("*"))
        if path.is_file() and not {path.suffix, *path.parts} & {".log", ".lock", "tensorboard"}
    }


def version(path: Path) -> tuple[int, ...]:
    """What the system changes whenever a file is written, renamed or given another mode."""
    known = path.lstat()
    return known.st_ino, known.st_size, known.st_mtime_ns, known.st_ctime_ns


@lru_cache(maxsize=4096)
def said_by(path: Path, _: tuple[int, ...]) -> object:
    """The content of a version of a file, without what differs from call to call."""
    if path.name.endswith(".tar.gz"):
        with contextlib.suppress(tarfile.TarError, EOFError), tarfile.open(path) as tar:
            return [(m.name, m.isfile() and tar.extractfile(m).read()) for m in tar]  # type: ignore[union-attr]
    if path.name == "train.jsonl":
        with contextlib.suppress(json.JSONDecodeError):
            entries = map(json.loads, path.read_text().splitlines())
            return [{k: v for k, v in entry.items() if k not in PACE} for entry in entries]
    if path.name == "run.json":
        with contextlib.suppress(json.JSONDecodeError, TypeError, KeyError, AttributeError):
            record = json.loads(path.read_text())
            record["notes"].pop("curve", None)  # the digest of train.jsonl
            return json.dumps(record)
    return path.read_bytes()


def differences(reference: Mapping[str, object], root: Path = Path()) -> list[str]:
    """The files in which an experiment is not the undisturbed one."""
    found = content(root)
    return sorted(
        name for name in found.keys() | reference.keys() if found.get(name) != reference.get(name)
    )


def change_yaml(path: str, **values: object) -> None:
    """Other values of top-level keys of a configuration."""
    config = yaml.safe_load(Path(path).read_text())
    Path(path).write_text(yaml.safe_dump(config | values, sort_keys=False))
