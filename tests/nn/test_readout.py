"""The readouts: what they pool by hand, padding, and what is computed once."""

import numpy as np
import pytest
import torch
from scipy import stats
from tiny import encoder_config, whisper_config

from ser.config.network import ReadoutConfig, TransformerConfig, WhisperConfig
from ser.nn.emotion import EmotionModel
from ser.nn.mask import length_mask
from ser.nn.readout import READOUTS, Pooling, loud_frames

CONFIGS = {
    "transformer": encoder_config(dropout_prob=0.0, attention_dropout_prob=0.0),
    "whisper": whisper_config(),
}
LENS = torch.tensor([70, 41, 23])


def model(config: TransformerConfig | WhisperConfig, readout: str) -> EmotionModel:
    torch.manual_seed(1)
    return EmotionModel(config, 4, None, ReadoutConfig(type=readout)).eval()


def batch() -> torch.Tensor:
    torch.manual_seed(2)
    return torch.randn(3, 70, 80) * length_mask(LENS, 70)[:, :, None]


@torch.no_grad()
@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("encoder", CONFIGS)
def test_alone_in_a_batch_and_from_what_was_gathered(encoder: str, readout: str) -> None:
    network = model(CONFIGS[encoder], readout)
    if isinstance(network.readout, Pooling):
        width = network.readout.offset.numel()
        network.readout.standardise(torch.randn(width), torch.rand(width) + 0.5)
    feats = batch()
    together = network(feats, LENS).emotion_logits
    hidden, lens = network.encode(feats, LENS)
    assert torch.equal(network(hidden, lens, encoded=True).emotion_logits, together)
    for i, size in enumerate(LENS.tolist()):
        alone = network(feats[i : i + 1, :size], LENS[i : i + 1]).emotion_logits
        assert torch.allclose(alone[0], together[i], atol=1e-5)
        rows = hidden[i : i + 1, : lens[i]]
        again = network(rows, lens[i : i + 1], encoded=True).emotion_logits
        assert torch.allclose(again[0], together[i], atol=1e-5)


@pytest.mark.parametrize("readout", READOUTS)
def test_every_weight_is_trained(readout: str) -> None:
    network = model(CONFIGS["whisper"], readout).train()
    network(batch(), LENS).emotion_logits[:, 0].sum().backward()
    without = {name for name, p in network.named_parameters() if p.grad is None}
    assert not without
    vector = readout.startswith("emotion_vector")
    assert (network.emotion_embedding is not None) == vector


@torch.no_grad()
@pytest.mark.parametrize("readout", ["mean", "mean_sd", "moments_and_halves"])
def test_moments_of_layers_by_hand(readout: str) -> None:
    network = model(CONFIGS["whisper"], readout)
    halves = readout == "moments_and_halves"
    x, frame_lens = network.encoder.frames(batch(), LENS)
    outputs = network.encoder.layers(x, length_mask(frame_lens, x.shape[1]))
    hidden, lens = network.encode(batch(), LENS)
    assert lens.tolist() == [1, 1, 1]
    assert any(size % 2 for size in frame_lens)
    for i, size in enumerate(frame_lens.tolist()):
        wanted: list[np.ndarray] = []
        for z in outputs[1:] if halves else outputs:
            frames = z[i, :size].double().numpy()
            wanted.append(frames.mean(axis=0))
            if readout != "mean":
                wanted.append(frames.std(axis=0))
            if halves:
                wanted += [stats.skew(frames), frames[: size // 2].mean(axis=0)]
                wanted.append(frames[size // 2 :].mean(axis=0))
        difference = np.abs(hidden[i, 0].numpy() - np.concatenate(wanted)).max()
        assert difference < (1e-4 if halves else 1e-5)
    assert hidden.shape[2] == network.readout.size


@torch.no_grad()
def test_one_frame_is_both_halves() -> None:
    network = model(CONFIGS["whisper"], "moments_and_halves")
    z = torch.randn(1, 3, network.encoder.d_model)
    pooled = torch.tensor([[False, True, False]])
    hidden, _ = network.readout.gather([z] * 5, pooled)
    mean, _, skewness, first, second = hidden[0, 0].view(-1, 5, z.shape[2])[0]
    assert torch.equal(mean, z[0, 1])
    assert torch.equal(first, mean)
    assert torch.equal(second, mean)
    assert not skewness.any()


@torch.no_grad()
def test_attention_that_does_not_care_is_mean_and_sd() -> None:
    network = model(CONFIGS["whisper"], "attentive")
    for parameter in network.readout.parameters():
        parameter.zero_()
    hidden, lens = network.encode(batch(), LENS)
    vectors = network.readout(hidden, lens)
    for i, size in enumerate(lens.tolist()):
        frames = hidden[i, :size].double().numpy()
        wanted = np.concatenate([frames.mean(axis=0), frames.std(axis=0)])
        assert np.abs(vectors[i].numpy() - wanted).max() < 1e-4


@torch.no_grad()
def test_sum_over_blocks_starts_as_their_mean_and_can_become_the_last_one() -> None:
    network = model(CONFIGS["transformer"], "emotion_vector_of_all_blocks")
    hidden, lens = network.encode(batch(), LENS)
    assert torch.allclose(network.readout(hidden, lens), hidden.mean(dim=1), atol=1e-6)
    network.readout.block_logits[-1] = 50.0
    assert torch.allclose(network.readout(hidden, lens), hidden[:, -1], atol=1e-5)


@torch.no_grad()
def test_the_vector_of_each_block_is_read_by_hand() -> None:
    network = model(CONFIGS["transformer"], "emotion_vector_of_all_blocks")
    x, frame_lens = network.encoder.frames(batch(), LENS)
    vector = network.emotion_embedding.expand(len(x), 1, -1)
    mask = length_mask(frame_lens + 1, x.shape[1] + 1)
    outputs = network.encoder.layers(torch.cat([vector, x], dim=1), mask)
    hidden, _ = network.encode(batch(), LENS)
    for block, z in enumerate(outputs[1:]):
        first = z[:, 0]
        centred = first - first.mean(dim=1, keepdim=True)
        wanted = centred / (centred.square().mean(dim=1, keepdim=True) + 1e-5).sqrt()
        assert torch.allclose(hidden[:, block], wanted, atol=1e-5)


@torch.no_grad()
def test_standardised_vectors_have_mean_0_and_sd_1() -> None:
    network = model(CONFIGS["whisper"], "mean_sd")
    hidden, lens = network.encode(torch.randn(50, 60, 80), torch.full((50,), 60))
    rows = hidden[:, 0]
    network.readout.standardise(rows.mean(dim=0), rows.std(dim=0, correction=0))
    vectors = network.readout(hidden, lens)
    assert vectors.mean(dim=0).abs().max() < 1e-3
    loose = rows.std(dim=0, correction=0) > 1e-2  # others are held to a least deviation
    assert torch.allclose(vectors.std(dim=0, correction=0)[loose], torch.ones(()), atol=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("encoder", CONFIGS)
@pytest.mark.parametrize("readout", ["mean", "mean_sd"])
def test_quiet_frames_are_not_pooled(readout: str, encoder: str) -> None:
    """As the mean of the loud ones by hand, alone and in a batch; a level says nothing."""
    torch.manual_seed(1)
    config = ReadoutConfig(type=readout, least_loudness=0.5)
    network = EmotionModel(CONFIGS[encoder], 4, None, config).eval()
    feats = batch()
    feats[:, ::9] += 3.0
    feats *= length_mask(LENS, 70)[:, :, None]
    hidden, _ = network.encode(feats, LENS)
    x, frame_lens = network.encoder.frames(feats, LENS)
    outputs = network.encoder.layers(x, length_mask(frame_lens, x.shape[1]))
    stride = network.encoder.frame_stride
    for i, size in enumerate(frame_lens.tolist()):
        real = feats[i, : LENS[i]].mean(dim=1).tolist()
        loud = np.array([max(real[s * stride : (s + 1) * stride]) for s in range(size)])
        chosen = loud >= loud.min() + 0.5 * (loud.max() - loud.min())
        assert 0 < chosen.sum() < size
        frames = outputs[-1][i, :size][torch.from_numpy(chosen)]
        width = network.encoder.d_model
        start = hidden.shape[2] - (1 if readout == "mean" else 2) * width
        assert torch.allclose(hidden[i, 0, start : start + width], frames.mean(dim=0), atol=1e-5)
        alone, _ = network.encode(feats[i : i + 1, : LENS[i]], LENS[i : i + 1])
        assert torch.allclose(alone[0], hidden[i], atol=1e-5)


def test_loudness_counts_within_an_utterance() -> None:
    feats, real = torch.randn(2, 40, 80), torch.ones(2, 20, dtype=torch.bool)
    lens = torch.tensor([40, 40])
    once = loud_frames(feats, lens, real, 2, 0.4)
    assert torch.equal(loud_frames(feats + 7.0, lens, real, 2, 0.4), once)
    flat = loud_frames(torch.zeros(2, 40, 80), lens, real, 2, 0.4)
    assert flat.all(), "an utterance without any difference is pooled as a whole"


@torch.no_grad()
@pytest.mark.parametrize("readout", ["mean", "mean_sd", "moments_and_halves"])
def test_statistics_are_of_float32_under_autocast(readout: str) -> None:
    """In bfloat16 the mean of 230 ones would be 0.996, and what is left of skewness is noise."""
    network = model(CONFIGS["whisper"], readout).readout
    layers = [torch.randn(2, 230, network.size) + 3 for _ in range(3)]
    pooled = torch.ones(2, 230, dtype=torch.bool)
    exact, _ = network.gather(layers, pooled)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under, _ = network.gather(layers, pooled)
    assert under.dtype == torch.float32
    assert torch.equal(under, exact)
