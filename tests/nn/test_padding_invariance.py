"""An utterance's result does not depend on the batch it is in, property-tested."""

from collections.abc import Sequence
from functools import cache

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tiny import cnn_blstm_sa_config, encoder_config
from torch import nn

from ser.config.network import CtcHeadConfig
from ser.nn.cnn_blstm_sa import CnnBlstmSa
from ser.nn.emotion import EmotionModel
from ser.nn.recogniser import Recogniser

VOCABULARY = 20
SIZES = st.lists(st.integers(1, 160), min_size=1, max_size=5)

Logits = tuple[torch.Tensor | None, torch.Tensor | None, torch.Tensor]


@cache
def model(kind: str) -> nn.Module:
    torch.manual_seed(5)
    if kind == "cnn_blstm_sa":
        built: nn.Module = CnnBlstmSa(cnn_blstm_sa_config(), 4)
    elif kind == "recogniser":
        built = Recogniser(encoder_config(), VOCABULARY, head=CtcHeadConfig(kernel_sizes=[5, 3]))
    else:
        sizes = [3] if kind == "pre" else []
        built = EmotionModel(
            encoder_config(layer_norm=kind), 4, VOCABULARY, head=CtcHeadConfig(kernel_sizes=sizes)
        )
    for parameter in built.parameters():
        if parameter.dim() == 1:  # biases that matter: a padded frame is not zero any more
            nn.init.normal_(parameter, mean=float(parameter.detach().mean()), std=0.3)
    return built.eval()


@torch.no_grad()
def forward(network: nn.Module, feats: torch.Tensor, lens: Sequence[int]) -> Logits:
    """Emotion logits, CTC logits and their lengths, as far as the network has them."""
    output = network(feats, torch.tensor(lens))
    return (None, *output) if len(output) == 2 else tuple(output)


@pytest.mark.parametrize("kind", ["post", "pre", "recogniser", "cnn_blstm_sa"])
@settings(max_examples=40)
@given(sizes=SIZES, extra=st.integers(0, 60), seed=st.integers(0, 10**6))
@example(sizes=[200, 151], extra=0, seed=0)  # where ESPnet's mask keeps two frames too many
@example(sizes=[1, 10, 11, 12], extra=0, seed=0)
@example(sizes=[8, 9, 10], extra=30, seed=1)
def test_alone_or_in_a_batch(kind: str, sizes: list[int], extra: int, seed: int) -> None:
    network = model(kind)
    generator = torch.Generator().manual_seed(seed)
    utterances = [torch.randn(size, 80, generator=generator) * 2 for size in sizes]
    padded = torch.zeros(len(sizes), max(sizes) + extra, 80)
    for row, utterance in zip(padded, utterances, strict=True):
        row[: len(utterance)] = utterance
    emotion, ctc, ctc_lens = forward(network, padded, sizes)
    for i, utterance in enumerate(utterances):
        emotion_alone, ctc_alone, len_alone = forward(network, utterance[None], [sizes[i]])
        assert ctc_lens[i] == len_alone[0]
        if emotion is not None and emotion_alone is not None:
            assert emotion[i].isfinite().all()
            assert torch.allclose(emotion[i], emotion_alone[0], atol=1e-5)
        if ctc is not None and ctc_alone is not None:
            kept = ctc[i, : len_alone[0]]
            assert ctc_alone.shape[1] == len_alone[0] >= 1
            assert torch.allclose(kept, ctc_alone[0], atol=1e-5)


@pytest.mark.parametrize("kind", ["post", "pre", "recogniser", "cnn_blstm_sa"])
def test_no_gradient_reaches_the_padding_of_features(kind: str) -> None:
    feats = torch.randn(2, 90, 80)
    feats[1, 40:] = 0
    feats.requires_grad_()
    network = model(kind)
    output = network(feats, torch.tensor([90, 40]))
    emotion, ctc, lens = (None, *output) if len(output) == 2 else output
    total = torch.zeros(())
    if emotion is not None:
        total = total + (emotion[1] ** 2).sum()
    if ctc is not None:
        total = total + (ctc[1, : lens[1]] ** 2).sum()
    (grad,) = torch.autograd.grad(total, feats)
    assert not grad[0].any(), "another utterance"
    assert grad[1, :30].any()
    if kind != "cnn_blstm_sa":  # its "same" convolutions do read the zeros beyond the end
        assert not grad[1, 40:].any()


def test_the_baseline_has_one_vector_and_no_ctc() -> None:
    """Structured self-attention: a softmax over time of W2 tanh(W1 h) for each head, joined."""
    network = model("cnn_blstm_sa")
    feats = torch.randn(1, 90, 80)
    h = feats[:, None]
    for conv in (network.conv1, network.conv2):
        h = nn.functional.max_pool2d(conv(h).clamp(min=0), 3)
    h = h[0].permute(1, 0, 2).flatten(1)  # (T / 9, channels * F / 9)
    assert h.shape == (10, 4 * 8)
    h = network.blstm(h[None])[0][0]
    w1, w2 = network.attention[0], network.attention[2]
    weights = (torch.tanh(h @ w1.weight.T + w1.bias) @ w2.weight.T).softmax(dim=0)
    vector = (weights.T @ h).flatten()
    output = network(feats, torch.tensor([90]))
    assert torch.allclose(output.emotion_logits[0], network.emotion_head(vector), atol=1e-5)
    assert output.ctc_logits is None
