"""Small configurations, models and folders that the tests share."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import yaml
from pydantic import BaseModel

from ser.base.outputs import outputs_in, seal
from ser.base.record import Record, read_record
from ser.base.writing import write_json
from ser.config.features import FbankConfig, WhisperMelConfig
from ser.config.network import CnnBlstmSaConfig, SubsamplingConfig, TransformerConfig, WhisperConfig
from ser.config.schema import (
    CtcConfig,
    OptimizerConfig,
    SpecAugmentConfig,
    SystemConfig,
    TrainingConfig,
)
from ser.data.batch import Batch
from ser.data.utterances import FeatureReader
from ser.kaldi.ark import ArkWriter
from ser.kaldi.data_dir import write_data_dir
from ser.train.engine.distributed import Distributed

ALONE = Distributed(0, 1, torch.device("cpu"))  # a run of one process
SYSTEMS = ("cnn_blstm_sa", "transformer", "transformer_tl", "transformer_tl_mtl")
FBANK = FbankConfig(
    sample_rate_hz=16000,
    num_mel_bins=80,
    frame_length_ms=25.0,
    frame_shift_ms=10.0,
    preemphasis=0.97,
    low_freq_hz=20.0,
    high_freq_hz=8000.0,
    storage="float32",
)
SPEC_AUGMENT = SpecAugmentConfig(
    num_freq_masks=2,
    max_freq_mask_bins=10,
    num_time_masks=2,
    max_time_mask_frames=20,
    max_time_mask_prob=0.2,
)


def encoder_config(**changes: Any) -> TransformerConfig:
    """The paper's encoder, tiny."""
    values = {
        "type": "transformer",
        "num_mel_bins": 80,
        "subsampling": SubsamplingConfig(num_channels=4, kernel_sizes=[3, 5], strides=[2, 3]),
        "d_model": 32,
        "num_blocks": 2,
        "num_heads": 4,
        "head_dim": 8,
        "ffn_dim": 64,
        "dropout_prob": 0.1,
        "attention_dropout_prob": 0.1,
        "layer_norm": "post",
        "initialisation": "xavier",
    }
    return TransformerConfig(**(values | changes))


def whisper_config(**changes: Any) -> WhisperConfig:
    """Whisper's encoder, tiny."""
    values = {
        "type": "whisper",
        "num_mel_bins": 80,
        "d_model": 32,
        "num_blocks": 2,
        "num_heads": 4,
        "ffn_dim": 64,
        "dropout_prob": 0.0,
        "attention_dropout_prob": 0.0,
    }
    return WhisperConfig(**(values | changes))


def whisper_mel_config(**changes: Any) -> WhisperMelConfig:
    values = {
        "type": "whisper",
        "num_mel_bins": 80,
        "pad_seconds": None,
        "normalisation": "none",
        "storage": "float32",
    }
    return WhisperMelConfig(**(values | changes))


def cnn_blstm_sa_config(**changes: Any) -> CnnBlstmSaConfig:
    """The baseline, tiny."""
    values = {
        "type": "cnn_blstm_sa",
        "num_mel_bins": 80,
        "num_channels": 4,
        "pool_size": 3,
        "lstm_dim": 16,
        "num_lstm_layers": 2,
        "num_attention_heads": 3,
        "attention_dim": 16,
        "dropout_prob": 0.1,
    }
    return CnnBlstmSaConfig(**(values | changes))


def ctc_config(**changes: Any) -> CtcConfig:
    values = {"normalisation": "per_token", "max_too_short_prob": 0.01}
    return CtcConfig(**(values | changes))


def optimizer_config(**changes: Any) -> OptimizerConfig:
    values = {
        "learning_rate": 1e-3,
        "weight_decay": 1e-6,
        "betas": [0.9, 0.999],
        "schedule": "constant",
        "warmup_steps": 0,
        "max_grad_norm": 5.0,
    }
    return OptimizerConfig(**(values | changes))


def random_batch(seed: int, num_mel_bins: int = 80, vocab_size: int = 12) -> Batch:
    """Four utterances of random lengths, with a few tokens and one of four labels each.

    The golden losses depend on every draw and on their order.
    """
    generator = torch.Generator().manual_seed(seed)
    lens = torch.randint(60, 120, (4,), generator=generator)
    feats = torch.randn(4, int(lens.max()), num_mel_bins, generator=generator)
    for row, size in zip(feats, lens.tolist(), strict=True):
        row[size:] = 0
    return Batch(
        utts=("u0", "u1", "u2", "u3"),
        feats=feats,
        feat_lens=lens,
        tokens=torch.randint(1, vocab_size, (4, 5), generator=generator),
        token_lens=torch.randint(2, 5, (4,), generator=generator),
        labels=torch.randint(0, 4, (4,), generator=generator),
    )


def training_config(**changes: Any) -> TrainingConfig:
    values = {
        "batch_size_utts": 8,
        "max_frames_in_memory": 100000,
        "length_jitter_prob": 0.05,
        "max_epochs": 2,
        "precision": "float32",
        "checkpoint_minutes": 60.0,
        "num_loader_workers": 0,
        "spec_augment": None,
    }
    return TrainingConfig(**(values | changes))


def system_config(name: str, **changes: Any) -> SystemConfig:
    """One of the four systems of Table 1."""
    baseline = name == "cnn_blstm_sa"
    values = {
        "model": cnn_blstm_sa_config() if baseline else encoder_config(),
        "init": "ctc" if "tl" in name else "scratch",
        "ctc_alpha": 0.6 if "mtl" in name else 0.0,
        "ctc": ctc_config(),
        "optimizer": optimizer_config(),
        "training": training_config(),
    }
    return SystemConfig(**(values | changes))


def write_config(path: Path, config: BaseModel) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(config.model_dump(), sort_keys=False))


def random_feats(
    num_frames: Mapping[str, int], seed: int = 0
) -> dict[str, npt.NDArray[np.float32]]:
    """A random matrix (T, 80) for each utterance."""
    random = np.random.default_rng(seed)
    return {utt: random.normal(size=(t, 80)).astype(np.float32) for utt, t in num_frames.items()}


def write_feats(folder: Path, feats: Mapping[str, npt.NDArray[np.float32]]) -> dict[str, str]:
    """Writes an archive; returns its ``feats.scp``."""
    with ArkWriter(folder, "float32") as writer:
        for utt, matrix in feats.items():
            writer.write(utt, matrix)
        return writer.finish()


def ark_reader(folder: Path, feats: Mapping[str, npt.NDArray[np.float32]]) -> FeatureReader:
    """Features by way of an archive."""
    return FeatureReader(write_feats(folder, feats), folder / "feats.scp", "utterance_mean")


def write_feature_dir(
    path: Path,
    feats: Mapping[str, npt.NDArray[np.float32]],
    tables: Mapping[str, Mapping[str, str]],
    inputs: Mapping[str, str],
) -> None:
    """A finished folder of stage 1 that holds these features."""
    scp = write_feats(path, feats)
    constant = {
        "wav.scp": {utt: f"/nowhere/{utt}.wav" for utt in feats},
        "utt2dur": {utt: f"{len(matrix) / 100:.2f}" for utt, matrix in feats.items()},
        "utt2num_frames": {utt: str(len(matrix)) for utt, matrix in feats.items()},
        "feats.scp": scp,
    }
    write_data_dir(path, {**constant, **{name: dict(table) for name, table in tables.items()}})
    Record(path, 1, FBANK.model_dump(), dict(inputs)).finish()


def tsv_rows(text: str) -> list[dict[str, str]]:
    """The rows of a table with a header, by the names of its columns."""
    header, *rows = (line.split("\t") for line in text.splitlines())
    return [dict(zip(header, row, strict=True)) for row in rows]


def reseal(folder: Path) -> None:
    """Records the files of a finished folder as they are now, as if its stage had written them."""
    record = read_record(folder)
    record["outputs"] = seal(folder, outputs_in(folder))
    write_json(folder / "run.json", record)


class Trap:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.mark,)
