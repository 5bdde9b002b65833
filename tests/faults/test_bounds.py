"""Numbers have both ends: what is a slip is one line, and takes neither memory nor time."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from pydantic import ValidationError
from tiny import FBANK, cnn_blstm_sa_config, encoder_config, whisper_config
from tiny_audio import untrained_model

from ser.base.errors import SerError
from ser.config.features import FbankConfig
from ser.infer.recordings import file_seconds
from ser.nn.cnn_blstm_sa import CnnBlstmSa
from ser.nn.encoders import build_encoder
from ser.nn.weights import count_parameters


@pytest.mark.parametrize(
    "change",
    [
        {"sample_rate_hz": 10**9},
        {"sample_rate_hz": 1},
        {"frame_length_ms": 1e9},
        {"frame_length_ms": 1e-3},
        {"frame_shift_ms": 1e-6},
        {"frame_shift_ms": 1e9},
        {"num_mel_bins": 10**5},
        {"frame_length_ms": 2.0},  # 32 samples for 80 bands
    ],
)
def test_features(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(change))):
        FbankConfig(**FBANK.model_dump() | change)


@pytest.mark.parametrize(
    ("config", "change"),
    [
        (encoder_config, {"num_blocks": 10**6}),
        (encoder_config, {"d_model": 200_000}),
        (encoder_config, {"num_heads": 10**6}),
        (whisper_config, {"num_blocks": 10**6}),
        (cnn_blstm_sa_config, {"num_lstm_layers": 10_000}),
        (cnn_blstm_sa_config, {"pool_size": 1000}),
        (cnn_blstm_sa_config, {"lstm_dim": 10**9}),
    ],
)
def test_sizes_of_networks(config: Any, change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(change))):
        config(**change)


def test_sizes_that_only_together_are_too_much() -> None:
    for config, sizes in (
        (encoder_config, {"d_model": 16384, "ffn_dim": 65536, "num_blocks": 48}),
        (whisper_config, {"d_model": 16384, "ffn_dim": 65536, "num_blocks": 48, "num_heads": 64}),
        (cnn_blstm_sa_config, {"lstm_dim": 16384, "num_lstm_layers": 8}),
    ):
        with pytest.raises(ValidationError, match=r"come to .* weights; expected at most 4e\+09"):
            config(**sizes)


def test_the_weights_are_counted_as_they_are() -> None:
    large = {"d_model": 512, "ffn_dim": 2048, "num_blocks": 6}
    configs = [
        encoder_config(**large, num_heads=8, head_dim=64),
        whisper_config(**large, num_heads=8),
        cnn_blstm_sa_config(lstm_dim=256, num_lstm_layers=3),
    ]
    for config in configs:
        with torch.device("meta"):
            is_baseline = config.type == "cnn_blstm_sa"
            model = CnnBlstmSa(config, 4) if is_baseline else build_encoder(config)
        assert config.num_weights == pytest.approx(count_parameters(model), rel=0.02)


def test_whisper_large_passes() -> None:
    sizes = {"d_model": 1280, "num_blocks": 32, "num_heads": 20, "ffn_dim": 5120}
    assert whisper_config(**sizes, num_mel_bins=128).num_weights < 7e8


@pytest.mark.parametrize(("window", "hop"), [(600, 600), (1, 1e-9), (1e300, 1), (1, 2), (0, 0)])
def test_windows(window: float, hop: float) -> None:
    with pytest.raises(SerError, match=r"expected seconds, a window of 0\.025 to 60"):
        list(untrained_model().predict_windows(np.zeros(16000), window, hop, 16000))


def test_a_file_of_one_hertz(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "slow.wav", np.zeros(100), 1)
    with pytest.raises(SerError, match=r"slow\.wav: 1 Hz .*expected 1000 to 1000000 Hz"):
        file_seconds(tmp_path / "slow.wav")
