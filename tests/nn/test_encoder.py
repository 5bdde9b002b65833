"""The encoder against PyTorch's own layer, its positions, its size."""

import math

import numpy as np
import pytest
import torch
from tiny import encoder_config
from torch import nn
from tracked import ROOT

from ser.config.load import load_config
from ser.config.network import TransformerConfig
from ser.config.schema import PretrainConfig
from ser.nn.attention import SelfAttention
from ser.nn.encoder_base import Encoder, EncoderBlock
from ser.nn.mask import length_mask
from ser.nn.transformer import TransformerEncoder, sinusoids

IEMOCAP_CONF = ROOT / "egs" / "iemocap" / "conf"


def encode(
    encoder: Encoder, feats: torch.Tensor, lens: torch.Tensor, first: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Z and the frames' lengths; with ``first`` in front of the frames."""
    x, frame_lens = encoder.frames(feats, lens)
    mask = length_mask(frame_lens, x.shape[1])
    if first is not None:
        x = torch.cat([first.expand(len(x), 1, -1), x], dim=1)
        mask = nn.functional.pad(mask, (1, 0), value=True)
    return encoder.layers(x, mask)[-1], frame_lens


def paper_config() -> TransformerConfig:
    """Section 4.2 of the paper."""
    return encoder_config(
        subsampling={"num_channels": 512, "kernel_sizes": [3, 5], "strides": [2, 3]},
        d_model=512,
        num_blocks=18,
        num_heads=8,
        head_dim=64,
        ffn_dim=2048,
    )


def test_recipe_of_the_paper_builds_the_paper_s_encoder() -> None:
    config = load_config(IEMOCAP_CONF / "pretrain" / "ctc.yaml", PretrainConfig)
    assert config.encoder == paper_config()


def reference_layer(block: EncoderBlock, config: TransformerConfig) -> nn.TransformerEncoderLayer:
    """PyTorch's layer with a block's weights."""
    layer = nn.TransformerEncoderLayer(
        config.d_model,
        config.num_heads,
        config.ffn_dim,
        dropout=0.0,
        activation="relu",
        batch_first=True,
        norm_first=config.layer_norm == "pre",
    )
    own = block.state_dict()
    names = {
        "self_attn.in_proj_": "attention.qkv.",
        "self_attn.out_proj.": "attention.output.",
        "linear1.": "feed_forward.0.",
        "linear2.": "feed_forward.3.",
        "norm1.": "attention_norm.",
        "norm2.": "feed_forward_norm.",
    }
    weights = {
        theirs + kind: own[ours + kind]
        for theirs, ours in names.items()
        for kind in ("weight", "bias")
    }
    assert len(weights) == len(own), "every weight has its counterpart"
    layer.load_state_dict(weights)
    return layer


@pytest.mark.parametrize("layer_norm", ["post", "pre"])
def test_block_equals_pytorch_s_encoder_layer(layer_norm: str) -> None:
    torch.manual_seed(1)
    config = encoder_config(
        layer_norm=layer_norm,
        d_model=48,
        num_heads=4,
        head_dim=12,
        dropout_prob=0.0,
        attention_dropout_prob=0.0,
    )
    block = EncoderBlock(config)
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=0.3)  # biases and norms that matter
    lens = torch.tensor([17, 9, 1])
    mask = length_mask(lens, 17)
    x = torch.randn(3, 17, 48)
    expected = reference_layer(block, config)(x, src_key_padding_mask=~mask)
    assert torch.allclose(block(x, mask)[mask], expected[mask], atol=1e-5)


def test_attention_by_the_paper_s_equations() -> None:
    """Eq. (1)-(3): softmax(Q K^T / sqrt(d_k)) V for each head, joined."""
    attention = SelfAttention(d_model=10, num_heads=3, head_dim=4, dropout_prob=0.0)
    x = torch.randn(1, 6, 10)
    query, key, value = attention.qkv(x[0]).chunk(3, dim=1)
    heads = []
    for h in range(3):
        q, k, v = (m[:, 4 * h : 4 * h + 4] for m in (query, key, value))
        heads.append((q @ k.T / math.sqrt(4)).softmax(dim=1) @ v)
    expected = attention.output(torch.cat(heads, dim=1))
    assert torch.allclose(attention(x, torch.ones(1, 6, dtype=torch.bool))[0], expected, atol=1e-6)


def test_attention_dropout_is_active_in_training_alone() -> None:
    attention = SelfAttention(d_model=8, num_heads=2, head_dim=4, dropout_prob=0.5)
    x, mask = torch.randn(1, 9, 8), torch.ones(1, 9, dtype=torch.bool)
    assert not torch.equal(attention.train()(x, mask), attention(x, mask))
    assert torch.equal(attention.eval()(x, mask), attention(x, mask))


def test_every_position_sees_the_whole_input() -> None:
    encoder = TransformerEncoder(encoder_config(num_blocks=1)).eval()
    feats = torch.randn(1, 80, 80, requires_grad=True)
    z, _ = encode(encoder, feats, torch.tensor([80]))
    weights = torch.randn(32)  # the plain sum of a layer norm's output is constant
    for position in (0, z.shape[1] - 1):
        (grad,) = torch.autograd.grad(z[0, position] @ weights, feats, retain_graph=True)
        assert (grad[0, :70].abs().sum(dim=1) > 0).all()


def test_sinusoids_by_the_formula() -> None:
    """Vaswani et al., section 3.5, in double precision, up to 60 s."""
    size, d_model = 1000, 512
    expected = np.empty((size, d_model))
    for i in range(0, d_model, 2):
        angle = np.arange(size) / 10000.0 ** (i / d_model)
        expected[:, i], expected[:, i + 1] = np.sin(angle), np.cos(angle)
    assert np.abs(sinusoids(size, d_model).numpy() - expected).max() < 2e-4


@pytest.fixture
def bare() -> Encoder:
    """An encoder without blocks, whose output is the input of the first block."""
    encoder = TransformerEncoder(encoder_config()).eval()
    encoder.blocks = nn.ModuleList()
    return encoder


def test_input_is_scaled_and_gets_its_position(bare: Encoder) -> None:
    feats = torch.randn(2, 60, 80)
    z, lens = encode(bare, feats, torch.tensor([60, 40]))
    expected = bare.subsampling(feats) * math.sqrt(32) + sinusoids(9, 32)
    assert torch.allclose(z, expected, atol=1e-6)
    assert lens.tolist() == [9, 5]


@pytest.mark.parametrize("layer_norm", ["post", "pre"])
def test_emotion_vector_is_seen_by_the_frames_and_sees_them(layer_norm: str) -> None:
    encoder = TransformerEncoder(encoder_config(layer_norm=layer_norm)).eval()
    feats, lens = torch.randn(1, 60, 80), torch.tensor([60])
    first = torch.randn(32, requires_grad=True)
    z, _ = encode(encoder, feats.requires_grad_(), lens, first)
    weights = torch.randn(32)
    (grad_frames,) = torch.autograd.grad(z[0, 0] @ weights, feats, retain_graph=True)
    (grad_first,) = torch.autograd.grad(z[0, -1] @ weights, first)
    assert grad_frames.abs().sum() > 1e-3
    assert grad_first.abs().sum() > 1e-3


@torch.no_grad()
@pytest.mark.parametrize(("layer_norm", "num_norms"), [("post", 4), ("pre", 5)])
def test_output_is_normalised_either_way(layer_norm: str, num_norms: int) -> None:
    """Pre-norm needs one more at the end."""
    encoder = TransformerEncoder(encoder_config(layer_norm=layer_norm)).eval()
    assert sum(isinstance(m, nn.LayerNorm) for m in encoder.modules()) == num_norms
    z, _ = encode(encoder, torch.randn(2, 60, 80), torch.tensor([60, 40]))
    assert torch.allclose(z.mean(dim=2), torch.zeros(()), atol=1e-5)
    assert torch.allclose(z.var(dim=2, correction=0), torch.ones(()), atol=1e-3)


@torch.no_grad()
def test_depth_scaled_initialisation_shrinks_layer_l_by_its_root() -> None:
    config = encoder_config(d_model=64, head_dim=16, num_blocks=9, initialisation="depth_scaled")
    plain = TransformerEncoder(config.model_copy(update={"initialisation": "xavier"}))
    scaled = TransformerEncoder(config)
    for depth, (a, b) in enumerate(zip(plain.blocks, scaled.blocks, strict=True), start=1):
        for name in ("attention.qkv", "attention.output", "feed_forward.0", "feed_forward.3"):
            ratio = b.get_submodule(name).weight.std() / a.get_submodule(name).weight.std()
            assert float(ratio) == pytest.approx(depth**-0.5, rel=0.1)
            assert not b.get_submodule(name).bias.any()


def test_length_mask() -> None:
    assert length_mask(torch.tensor([0, 2, 3]), 3).tolist() == [
        [False, False, False],
        [True, True, False],
        [True, True, True],
    ]
