"""A tiny recipe from stage 3 on: its paths are relative, so the folder can be copied."""

import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pydantic import BaseModel
from tiny import (
    FBANK,
    SYSTEMS,
    cnn_blstm_sa_config,
    encoder_config,
    optimizer_config,
    system_config,
    training_config,
    write_config,
    write_feature_dir,
)
from tiny_training import metrics_log

from ser.base.log import logger
from ser.base.record import Record
from ser.config.labels import LabelsConfig
from ser.config.load import load_config
from ser.config.protocol import ProtocolConfig
from ser.config.schema import BpeConfig, PretrainConfig, SystemConfig
from ser.corpus.fold_files import write_folds
from ser.corpus.folds import make_folds
from ser.kaldi.data_dir import read_data_dir
from ser.text.bpe import write_bpe
from ser.train.pretrain import PretrainRun, pretrain
from ser.train.resolve import FinetuneRun, resolve

WORDS = {"ang": "GO AWAY", "hap": "HOW LOVELY", "neu": "ALL RIGHT", "sad": "MY LOSS"}
LABELS = LabelsConfig(classes={name: [name] for name in WORDS}, exclude=["xxx"])
PROTOCOL = ProtocolConfig(fold_unit="session", num_folds=3, validation="none", selection="last")
SHORT_UTT = "Ses02M-hap"  # fewer frames than the encoder needs
TEN_MINUTES = 59998  # frames

CONF, EXP, FEATS, BPE = Path("conf"), Path("exp"), Path("dump/fbank"), Path("exp/bpe")
PROTOCOL_PATH = CONF / "protocol" / "paper.yaml"
PRETRAIN_PATH = CONF / "pretrain" / "ctc.yaml"


def speech(seed: int, emotion: str, num_frames: int) -> npt.NDArray[np.float32]:
    """Noise, and in a band that tells the emotion a modulation in time."""
    random = np.random.default_rng(seed)
    feats = random.normal(size=(num_frames, 80))
    band = 20 * list(WORDS).index(emotion)
    feats[:, band : band + 20] += 4 * np.sin(np.arange(num_frames) / 4)[:, None]
    return feats.astype(np.float32)


def write_emotion_feats(nan_session: str = "", long_utt: str = "", seed: int = 0) -> None:
    """Three sessions of two speakers, who say each class once.

    One session may be unusable, and one utterance ten minutes long.
    """
    feats, tables = {}, {n: {} for n in ("text", "utt2spk", "utt2emo", "utt2session", "utt2cue")}
    speakers = [f"Ses0{session}{sex}" for session in "123" for sex in "FM"]
    for i, (spk, emotion) in enumerate((spk, e) for spk in speakers for e in WORDS):
        utt = f"{spk}-{emotion}"
        num_frames = {SHORT_UTT: 7, long_utt: TEN_MINUTES}.get(utt, 80 + 3 * i)
        feats[utt] = speech(1000 * seed + i, emotion, num_frames)
        if spk[4] == nan_session:
            feats[utt][:] = np.nan
        text = "" if utt == SHORT_UTT else WORDS[emotion]
        row = (text, spk, emotion, spk[4], "words" if i % 2 else "prosody")
        for name, value in zip(tables, row, strict=True):
            tables[name][utt] = value
    tables["utt2emo_raw"] = tables["utt2orig"] = tables["utt2emo"]
    tables["spk2gender"] = {spk: spk[-1].lower() for spk in speakers}
    shutil.rmtree(FEATS / "ser", ignore_errors=True)
    write_feature_dir(FEATS / "ser", feats, tables, {"speech": str(seed)} if seed else {})


def write_read_feats(part: str, num_utts: int) -> None:
    """Read speech, whose record of stage 0 lies in ``data``."""
    data = Path("data") / part
    record = Record(data, 0, {}, {})
    data.mkdir(parents=True)
    record.finish(missing_subsets=[])
    emotions = {f"r-{i:02}": list(WORDS)[i % 4] for i in range(num_utts)}
    feats = {u: speech(100 + i, e, 80 + 3 * i) for i, (u, e) in enumerate(emotions.items())}
    tables = {
        "text": {utt: WORDS[emotion] for utt, emotion in emotions.items()},
        "utt2spk": dict.fromkeys(emotions, "r"),
    }
    write_feature_dir(FEATS / part, feats, tables, {str(data): record.identity})


def write_folds_of(protocol: ProtocolConfig) -> None:
    folder = EXP / "folds"
    folder.mkdir(parents=True, exist_ok=True)
    write_folds(folder, make_folds(read_data_dir(FEATS / "ser"), protocol))
    Record(folder, 0, protocol.model_dump(), {}).finish()
    write_config(PROTOCOL_PATH, protocol)


def build(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes the outputs of stages 0 to 2 and the configuration, and runs stage 3."""
    monkeypatch.chdir(root)
    write_emotion_feats()
    write_read_feats("asr_train", 12)
    write_read_feats("asr_valid", 4)
    bpe = BpeConfig(num_pieces=24, character_coverage=1.0)
    write_bpe(Record(BPE, 2, bpe.model_dump(), {}), WORDS.values(), bpe, Path("text"))
    write_config(CONF / "labels.yaml", LABELS)
    write_config(CONF / "fbank.yaml", FBANK)
    write_config(CONF / "bpe.yaml", bpe)
    write_folds_of(PROTOCOL)
    training = training_config(batch_size_utts=6, max_epochs=3)
    encoder = encoder_config(num_blocks=1)
    for name in SYSTEMS:
        model = cnn_blstm_sa_config() if name == "cnn_blstm_sa" else encoder
        system = system_config(name, model=model, training=training)
        write_config(CONF / "systems" / f"{name}.yaml", system)
    config = PretrainConfig(
        encoder=encoder,
        ctc=system.ctc,
        optimizer=optimizer_config(),
        training=training,
        selection="last",
        allow_missing_subsets=False,
    )
    write_config(PRETRAIN_PATH, config)
    level = logger.level
    logger.setLevel(logging.INFO)  # as every program does
    pretrain(pretrain_run())
    logger.setLevel(level)


def pretrain_run(**changes: Any) -> PretrainRun:
    run = PretrainRun(
        config_path=PRETRAIN_PATH,
        train_data=Path("data/asr_train"),
        train_feats=FEATS / "asr_train",
        valid_feats=FEATS / "asr_valid",
        bpe=BPE,
        folder=EXP / "pretrain" / "ctc",
        seed=1,
        num_gpus=0,
        num_threads=1,
        force=False,
    )
    return replace(run, **changes)


def finetune_run(system: str, fold: str = "1", **changes: Any) -> FinetuneRun:
    run = FinetuneRun(
        conf=CONF,
        system=system,
        seed=1,
        fold=fold,
        protocol=PROTOCOL_PATH,
        feats=FEATS / "ser",
        bpe=BPE,
        pretrain=EXP / "pretrain",
        exp_dir=EXP,
        num_gpus=0,
        num_threads=1,
        force=False,
    )
    return replace(run, **changes)


def change_config(path: Path, schema: type[BaseModel], **changes: Any) -> None:
    """Rewrites a configuration; ``section__key=value`` changes a key of a section."""
    config = load_config(path, schema)
    for dotted, value in changes.items():
        section, _, key = dotted.rpartition("__")
        if section:
            inner = getattr(config, section).model_copy(update={key: value})
            config = config.model_copy(update={section: inner})
        else:
            config = config.model_copy(update={key: value})
    write_config(path, config)


def change_system(name: str, **changes: Any) -> None:
    change_config(CONF / "systems" / f"{name}.yaml", SystemConfig, **changes)


def is_trained(run: FinetuneRun) -> bool:
    """Whether a run is finished, made from what is there now."""
    return resolve(run).record.is_finished()


def weights(run: FinetuneRun) -> bytes:
    return (run.folder / "model.safetensors").read_bytes()


def epochs(run: FinetuneRun | PretrainRun) -> list[dict[str, float]]:
    return [entry for entry in metrics_log(run.folder) if entry["scope"] == "epoch"]
