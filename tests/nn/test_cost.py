"""The formulas of cost against what PyTorch counts and keeps."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from tiny import cnn_blstm_sa_config, encoder_config, system_config
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from ser.nn.cost import NetworkShape, count_parameters, forward_flops, kept_bytes, training_flops
from ser.nn.recogniser import Recogniser
from ser.nn.systems import build_system

VOCAB_SIZE, NUM_EMOTIONS = 50, 4
# Without dropout the CPU has a kernel that keeps no scores, and its wide masks are not counted.
ENCODER = encoder_config(dropout_prob=0.0, attention_dropout_prob=0.0)
Networks = tuple[NetworkShape, Callable[[], nn.Module]]


@pytest.fixture(autouse=True)
def plain_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plain path: the formulas are the arithmetic of the paper, as a GPU computes it."""
    for module in ("attention", "fast", "subsampling"):
        monkeypatch.setattr(f"ser.nn.{module}.use_fast", lambda x: False)


def recogniser() -> Networks:
    shape = NetworkShape(ENCODER, VOCAB_SIZE, None)
    return shape, lambda: Recogniser(ENCODER, VOCAB_SIZE)


def system(name: str) -> Networks:
    config = cnn_blstm_sa_config(num_channels=16) if name == "cnn_blstm_sa" else ENCODER
    vocab_size = VOCAB_SIZE if "mtl" in name else None
    shape = NetworkShape(config, vocab_size, NUM_EMOTIONS)
    system = system_config(name, model=config)
    return shape, lambda: build_system(system, NUM_EMOTIONS, vocab_size)


NETWORKS = [
    pytest.param(*recogniser(), id="recogniser"),
    *(pytest.param(*system(n), id=n) for n in ("transformer", "transformer_tl_mtl")),
    pytest.param(*system("cnn_blstm_sa"), id="cnn_blstm_sa"),
]


def batch(num_frames: int, num_utts: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(num_utts, num_frames, 80), torch.full((num_utts,), num_frames)


@contextmanager
def counted() -> Iterator[FlopCounterMode]:
    """Counts, with the LSTM and the attention taken apart into products that it knows."""
    with (
        sdpa_kernel(SDPBackend.MATH),
        torch.backends.mkldnn.flags(enabled=False, allow_tf32=None),
        FlopCounterMode(display=False) as counter,
    ):
        yield counter


@pytest.mark.parametrize("num_frames", [20, 200, 201])
@pytest.mark.parametrize(("shape", "build"), NETWORKS)
def test_forward_flops_are_those_counted(
    shape: NetworkShape, build: Callable[[], nn.Module], num_frames: int
) -> None:
    model = build().eval()
    with counted() as counter:
        model(*batch(num_frames))
    assert sum(forward_flops(shape, num_frames).values()) == counter.get_total_flops()


@pytest.mark.parametrize(("shape", "build"), NETWORKS[:3])
def test_training_flops_are_nearly_those_counted(
    shape: NetworkShape, build: Callable[[], nn.Module]
) -> None:
    """Above what is counted by the first convolution's missing gradient alone."""
    model = build()
    with counted() as counter:
        output = model(*batch(300))
        sum(x.sum() for x in output if x is not None and x.requires_grad).backward()
    forward = forward_flops(shape, 300)
    assert training_flops(forward) - forward["conv1"] == counter.get_total_flops()


@pytest.mark.parametrize(("shape", "build"), NETWORKS)
def test_kept_bytes_are_those_that_autograd_keeps(
    shape: NetworkShape, build: Callable[[], nn.Module]
) -> None:
    num_utts, num_frames = 4, 600
    model = build()
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = model(*batch(num_frames, num_utts))
        if shape.vocab_size:
            logits = output[0] if shape.num_emotions is None else output.ctc_logits
            logits.log_softmax(dim=-1).sum()
    seen = sum(s.nbytes() for address, s in kept.items() if address not in own)
    assert num_utts * sum(kept_bytes(shape, num_frames).values()) == pytest.approx(seen, rel=0.15)


@pytest.mark.parametrize(("shape", "build"), NETWORKS)
def test_parameters_are_counted_without_memory(
    shape: NetworkShape, build: Callable[[], nn.Module]
) -> None:
    with torch.device("meta"):
        on_meta = build()
    assert count_parameters(on_meta) == sum(p.numel() for p in build().parameters())
