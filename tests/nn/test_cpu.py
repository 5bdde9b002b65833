"""The CPU's arithmetic equals the plain network, forward and backward."""

import math
from collections.abc import Callable

import pytest
import torch
from tiny import cnn_blstm_sa_config, encoder_config, whisper_config
from torch import nn

from ser.config.network import SubsamplingConfig, TransformerConfig, WhisperConfig
from ser.nn.cnn_blstm_sa import CnnBlstmSa
from ser.nn.cpu import subsampling
from ser.nn.cpu.accelerate import CPU_MODULES, accelerate
from ser.nn.cpu.attention import DroppedAttention
from ser.nn.cpu.dropout import CpuFeedForward, DropoutMask, DroppedSum, GeluDropout, ReluDropout
from ser.nn.cpu.linear import linear
from ser.nn.cpu.subsampling import CpuConvSubsampling
from ser.nn.emotion import EmotionModel
from ser.nn.encoder_base import FeedForward
from ser.nn.subsampling import ConvSubsampling

TOLERANCES = {torch.float64: 1e-12, torch.float32: 1e-5}  # relative to the largest element


def assert_close(a: torch.Tensor, b: torch.Tensor, looser: float = 1) -> None:
    assert a.shape == b.shape and a.dtype == b.dtype
    largest = float(b.abs().max())
    assert largest > 0
    assert float((a - b).abs().max()) <= looser * TOLERANCES[a.dtype] * largest


def results(
    compute: Callable[[], torch.Tensor], parameters: list[torch.Tensor]
) -> list[torch.Tensor]:
    """A result, and its gradient by each parameter under fixed random weights."""
    out = compute()
    weights = torch.randn(out.shape, generator=torch.Generator().manual_seed(9)).to(out)
    return [out.detach(), *torch.autograd.grad((out * weights).sum(), parameters)]


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
@pytest.mark.parametrize("num_frames", [11, 12, 16, 63, 120])
@pytest.mark.parametrize(
    ("kernels", "strides"), [([3, 5], [2, 3]), ([3, 3], [2, 2]), ([2, 2], [1, 3]), ([5, 3], [1, 4])]
)
def test_front_end(
    monkeypatch: pytest.MonkeyPatch,
    kernels: list[int],
    strides: list[int],
    num_frames: int,
    dtype: torch.dtype,
) -> None:
    torch.manual_seed(0)
    monkeypatch.setattr(subsampling, "CHUNK_FRAMES", 2 * num_frames)  # 3 utterances: 2, 1
    config = SubsamplingConfig(num_channels=6, kernel_sizes=kernels, strides=strides)
    front_end = ConvSubsampling(config, num_mel_bins=31, d_model=8).to(dtype)
    feats = torch.randn(3, num_frames, 31, dtype=dtype)
    parameters = list(front_end.parameters())
    plain = results(lambda: front_end(feats), parameters)
    front_end.__class__ = CpuConvSubsampling
    for a, b in zip(results(lambda: front_end(feats), parameters), plain, strict=True):
        assert_close(a, b)


@pytest.mark.parametrize("frozen", ["conv1.", "conv2.", "conv", "projection"])
def test_frozen_front_end(frozen: str) -> None:
    torch.manual_seed(0)
    front_end = ConvSubsampling(encoder_config().subsampling, 80, d_model=8).double()
    for name, parameter in front_end.named_parameters():
        parameter.requires_grad_(not name.startswith(frozen))
    feats = torch.randn(2, 40, 80, dtype=torch.float64)
    free = [p for p in front_end.parameters() if p.requires_grad]
    plain = results(lambda: front_end(feats), free)
    front_end.__class__ = CpuConvSubsampling
    for a, b in zip(results(lambda: front_end(feats), free), plain, strict=True):
        assert_close(a, b)


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
def test_attention_with_dropout(dtype: torch.dtype) -> None:
    """The formula, with the mask that the fast one was given."""
    torch.manual_seed(0)
    qkv = torch.randn(3, 7, 3, 2, 5, dtype=dtype, requires_grad=True)  # (B, S, 3, H, d)
    mask = torch.arange(7) < torch.tensor([7, 4, 1])[:, None]
    dropout_mask = DropoutMask(3 * 2 * 7 * 7, 0.3)

    def plain() -> torch.Tensor:
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        scores = query @ key.transpose(2, 3) / math.sqrt(5)
        weights = scores.masked_fill(~mask[:, None, None], -math.inf).softmax(dim=3)
        weights = weights * dropout_mask.kept.view(3, 2, 7, 7) / dropout_mask.keep_prob
        return (weights @ value).transpose(1, 2)

    of_fast = results(lambda: DroppedAttention.apply(qkv, mask, dropout_mask), [qkv])
    for a, b in zip(of_fast, results(plain, [qkv]), strict=True):
        assert_close(a, b)
    assert not of_fast[1][1, 4:, 1:].any(), "keys and values of padding"


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
def test_dropouts(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    x, y = (torch.randn(5, 7, 9, dtype=dtype, requires_grad=True) for _ in range(2))
    dropout_mask = DropoutMask(x.numel(), 0.3)
    scale = dropout_mask.kept.view(x.shape).to(dtype) / dropout_mask.keep_prob
    for one, other in (
        (lambda: ReluDropout.apply(x, dropout_mask), lambda: x.relu() * scale),
        (lambda: GeluDropout.apply(x, dropout_mask), lambda: nn.functional.gelu(x) * scale),
        (lambda: DroppedSum.apply(x, y, dropout_mask), lambda: x + y * scale),
    ):
        parameters = [x, y] if one().grad_fn.name() == "DroppedSumBackward" else [x]
        for a, b in zip(results(one, parameters), results(other, parameters), strict=True):
            assert_close(a, b)


@pytest.mark.parametrize("dropout_prob", [0.1, 0.5, 1e-3, 0.999999999])
def test_dropout_probability(dropout_prob: float) -> None:
    """Rounded to 1 / 65536, never to all, and kept by the draws within five deviations."""
    torch.manual_seed(3)
    dropout_mask = DropoutMask(1_000_003, dropout_prob)
    assert dropout_mask.kept.shape == (1_000_003,)
    assert abs(dropout_mask.keep_prob - (1 - dropout_prob)) <= 2**-16
    assert dropout_mask.keep_prob > 0
    deviation = math.sqrt(dropout_mask.keep_prob * (1 - dropout_mask.keep_prob) / 1_000_003)
    assert abs(float(dropout_mask.kept.double().mean()) - dropout_mask.keep_prob) < 5 * deviation
    # Four elements share a draw; they are as good as independent.
    quarters = dropout_mask.kept[:1_000_000].view(-1, 4).double() - dropout_mask.keep_prob
    correlations = (
        quarters.T
        @ quarters
        / len(quarters)
        / (dropout_mask.keep_prob * (1 - dropout_mask.keep_prob))
    )
    assert float(correlations.fill_diagonal_(0).abs().max()) < 0.02


@pytest.mark.parametrize("leading", [(), (4,), (2, 3), (2, 8)], ids=str)
def test_linear(leading: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    x = torch.randn(*leading, 12, requires_grad=True)
    weight, bias = torch.randn(9, 12, requires_grad=True), torch.randn(9, requires_grad=True)
    inputs = [x, weight, bias]
    of_fast = results(lambda: linear(*inputs), inputs)
    for a, b in zip(of_fast, results(lambda: nn.functional.linear(*inputs), inputs), strict=True):
        assert_close(a, b)


def emotion_results(model: EmotionModel) -> list[torch.Tensor]:
    """Logits of the real frames of a padded batch, and all gradients."""
    feats, feat_lens = torch.randn(3, 91, 80, dtype=model.emotion_embedding.dtype), [91, 64, 12]
    for row, size in zip(feats, feat_lens, strict=True):
        row[size:] = 0

    def compute() -> torch.Tensor:
        emotion, ctc, lens = model(feats, torch.tensor(feat_lens))
        assert ctc is not None
        real = [row[:size].flatten() for row, size in zip(ctc, lens.tolist(), strict=True)]
        return torch.cat([emotion.flatten(), *real])

    return results(compute, list(model.parameters()))


NO_LOSS = {"dropout_prob": 1e-14, "attention_dropout_prob": 1e-14}


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
@pytest.mark.parametrize(
    "config",
    [
        encoder_config(layer_norm="post", **NO_LOSS),
        encoder_config(layer_norm="pre", **NO_LOSS),
        whisper_config(**NO_LOSS),
    ],
    ids=["post", "pre", "whisper"],
)
def test_whole_model(config: TransformerConfig | WhisperConfig, dtype: torch.dtype) -> None:
    """x_e in front, padding, an odd number of frames; dropout that keeps all but draws masks."""
    torch.manual_seed(0)
    model = EmotionModel(config, 4, 20).to(dtype)
    torch.manual_seed(1)
    plain = emotion_results(model)
    names = list(model.state_dict())
    accelerate(model)
    assert list(model.state_dict()) == names
    swapped = {type(module) for module in model.encoder.modules()}
    assert swapped.isdisjoint(CPU_MODULES), "plain modules are left"
    torch.manual_seed(1)
    for a, b in zip(emotion_results(model), plain, strict=True):
        assert_close(a, b, looser=100)


def test_what_is_not_the_encoder_and_not_on_the_cpu_stays() -> None:
    baseline = CnnBlstmSa(cnn_blstm_sa_config(), 4)
    with torch.device("meta"):
        elsewhere = EmotionModel(encoder_config(), 4, 20)
    for model in (baseline, elsewhere):
        before = [type(module) for module in model.modules()]
        accelerate(model)
        assert [type(module) for module in model.modules()] == before


def test_autocast_keeps_its_bfloat16() -> None:
    model = EmotionModel(encoder_config(), 4, 20)
    accelerate(model)
    with torch.autocast("cpu", torch.bfloat16):
        output = model(torch.randn(2, 60, 80), torch.tensor([60, 40]))
    assert output.ctc_logits is not None and output.ctc_logits.dtype == torch.bfloat16
    output.ctc_logits.sum().backward()
    assert all(p.grad is not None for p in model.encoder.parameters())


@pytest.mark.parametrize("activation", [nn.SiLU(), nn.GELU(approximate="tanh")])
def test_an_activation_without_a_kernel(activation: nn.Module) -> None:
    """It is computed as PyTorch does, not as the nearest one with a kernel."""
    torch.manual_seed(0)
    network = FeedForward(encoder_config())
    network[1], network[2] = activation, nn.Dropout(0.3)
    x = torch.randn(2, 7, encoder_config().d_model)
    outputs = []
    for _ in range(2):
        torch.manual_seed(1)
        outputs.append(network(x))
        network.__class__ = CpuFeedForward
    assert torch.equal(*outputs)
