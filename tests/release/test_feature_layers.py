"""The features inside an exported network are those of stage 1."""

import numpy as np
import pytest
import torch
from tiny import FBANK, whisper_mel_config

from ser.config.features import FeaturesConfig
from ser.feats.definitions import make_extractor
from ser.release.feature_layers import make_feature_layer


@pytest.mark.parametrize(
    ("config", "tolerance"), [(FBANK, 2e-3), (whisper_mel_config(), 2e-5)], ids=["kaldi", "whisper"]
)
def test_the_features_inside_are_those_outside(config: FeaturesConfig, tolerance: float) -> None:
    """Of utterances alone and together, each held to its own loudest value."""
    rng = np.random.default_rng(0)
    pieces = [(3000 * rng.normal(size=n)).astype(np.float32) for n in (8000, 16000, 59200)]
    pieces[1] = pieces[1] / 30  # quieter than its neighbours
    layer, extract = make_feature_layer(config), make_extractor(config)
    lens = torch.tensor([len(x) for x in pieces])
    padded = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(x) for x in pieces], True)
    together, frame_lens = layer(padded, lens)
    for i, samples in enumerate(pieces):
        expected = extract(samples)
        assert frame_lens[i] == len(expected) == extract.num_frames(len(samples))
        np.testing.assert_allclose(together[i, : len(expected)], expected, atol=tolerance)
        alone, _ = layer(torch.from_numpy(samples)[None], lens[i : i + 1])
        np.testing.assert_allclose(alone[0, : len(expected)], expected, atol=tolerance)
