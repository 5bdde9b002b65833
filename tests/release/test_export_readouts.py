"""Every way of reading the emotion off the encoder can be exported."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import whisper_config, whisper_mel_config

from ser.config.network import ReadoutConfig
from ser.feats.definitions import make_extractor
from ser.infer.model import Model
from ser.infer.torch_engine import TorchEngine
from ser.nn.emotion import EmotionModel
from ser.release.export import export_torch

pytestmark = pytest.mark.long


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("moments_and_halves", 0.3),
        pytest.param("attentive", 0.0, marks=pytest.mark.slow),
        pytest.param("emotion_vector_of_all_blocks", 0.0, marks=pytest.mark.slow),
    ],
)
def test_a_program_of_torch_takes_batches_of_any_size(
    name: str, least: float, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    readout = ReadoutConfig.model_validate({"type": name, "least_loudness": least})
    network = EmotionModel(whisper_config(), 3, None, readout).eval()
    fbank = make_extractor(whisper_mel_config())
    model = Model(TorchEngine([network]), ("a", "b", "c"), fbank, None)
    export_torch(model, tmp_path / "model.pt2", False)
    program = torch.export.load(tmp_path / "model.pt2").module()
    rng = np.random.default_rng(0)
    feats = [rng.normal(size=(n, 80)).astype(np.float32) for n in (71, 50, 33)]
    expected = [output.posteriors for output in model.engine(feats)]
    for size in (1, 3):
        padded = torch.zeros(size, 71, 80)
        for row, values in zip(padded, feats[:size], strict=True):
            row[: len(values)] = torch.from_numpy(values)
        lens = torch.tensor([len(values) for values in feats[:size]])
        posteriors = program(padded, lens)[0].detach().numpy()
        assert posteriors == pytest.approx(np.stack(expected[:size]), abs=1e-6)
