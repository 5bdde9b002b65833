"""The published weights of Whisper tiny.en, where they are at hand: the same numbers, one step."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from tracked import ROOT

from ser.config.features import load_features
from ser.config.pretraining import ImportConfig, load_pretraining
from ser.config.systems import load_trained_system
from ser.feats.definitions import make_extractor
from ser.nn.emotion import EmotionModel
from ser.nn.losses import multitask_loss
from ser.nn.mask import length_mask
from ser.nn.systems import build_system, load_pretrained
from ser.nn.whisper import WhisperEncoder, positions
from ser.train.engine.optimizer import learning_rate, make_optimizer, set_learning_rate
from ser.train.published import read_encoder

CONF = ROOT / "egs" / "iemocap" / "conf" / "whisper"


@pytest.fixture(scope="module")
def folder(real_data: Path) -> Path:
    return real_data / "whisper-tiny.en"


@pytest.fixture(scope="module")
def weights(folder: Path) -> dict[str, torch.Tensor]:
    config = load_pretraining(CONF, "published")
    assert isinstance(config, ImportConfig)
    return read_encoder(folder, config.encoder)


@pytest.fixture(scope="module")
def speech(real_data: Path) -> list[np.ndarray]:
    """Four sentences of LibriSpeech, in 16-bit scale."""
    files = sorted((real_data / "LibriSpeech").glob("train-clean-5/*/*/*.opus"))[:4]
    return [soundfile.read(file, dtype="float32")[0] * np.float32(32768) for file in files]


@torch.no_grad()
def test_every_layer_equals_transformers_on_speech(
    folder: Path, weights: dict[str, torch.Tensor], speech: list[np.ndarray]
) -> None:
    """In double precision: in single either side is 1e-4 off where speech has ended."""
    transformers = pytest.importorskip("transformers")
    theirs = transformers.WhisperModel.from_pretrained(folder, dtype=torch.float64).encoder.eval()
    table = theirs.embed_positions.weight  # rounded to half precision
    assert (table - positions(1500, 384)).abs().max() < 1e-3
    table.copy_(positions(1500, 384))
    config = load_pretraining(CONF, "published").encoder
    encoder = WhisperEncoder(config).double().eval()
    encoder.load_state_dict({k.removeprefix("encoder."): v for k, v in weights.items()})
    padded = load_features(CONF).model_copy(update={"pad_seconds": 30.0})
    feats = torch.from_numpy(make_extractor(padded)(speech[0]))[None].double()
    expected = theirs(feats.transpose(1, 2), output_hidden_states=True).hidden_states
    x, lens = encoder.frames(feats, torch.tensor([3000]))
    for a, b in zip(encoder.layers(x, length_mask(lens, 1500)), expected, strict=True):
        assert (a - b).abs().max() <= 1e-5 * b.abs().max()


@pytest.mark.long
@pytest.mark.parametrize("name", ["transformer_tl", "transformer_tl_vector"])
def test_one_step_of_fine_tuning(
    name: str, weights: dict[str, torch.Tensor], speech: list[np.ndarray]
) -> None:
    system = load_trained_system(CONF, name)
    torch.manual_seed(1)
    model = build_system(system, 4, None)
    assert isinstance(model, EmotionModel)
    load_pretrained(weights, model, "tiny.en")
    extractor = make_extractor(load_features(CONF))
    feats = [torch.from_numpy(extractor(samples)) for samples in speech]
    lens = torch.tensor([len(x) for x in feats])
    padded = torch.nn.utils.rnn.pad_sequence(feats, batch_first=True)
    optimizer = make_optimizer(model, system.optimizer)
    set_learning_rate(optimizer, learning_rate(system.optimizer, step=0, num_steps=100))
    losses = []
    for _ in range(2):
        optimizer.zero_grad()
        loss = multitask_loss(model(padded, lens).emotion_logits, torch.arange(4), None, 0.0)
        loss.total.backward()
        optimizer.step()
        losses.append(loss.total.item())
    assert losses[1] < losses[0]
    same = all(torch.equal(model.state_dict()[k], v) for k, v in weights.items())
    assert same == (name == "transformer_tl"), "frozen or not"
