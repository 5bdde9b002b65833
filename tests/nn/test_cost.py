"""The formulas of cost against what PyTorch counts and keeps."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from tiny import cnn_blstm_sa_config, encoder_config, system_config, whisper_config
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from ser.config.network import CnnBlstmSaConfig, CtcHeadConfig, EncoderConfig, ReadoutConfig
from ser.nn.cnn_blstm_sa import CnnBlstmSa
from ser.nn.cost import TRAINING_PASSES, count_parameters, forward_flops, kept_bytes
from ser.nn.emotion import EmotionModel
from ser.nn.recogniser import Recogniser
from ser.nn.systems import build_system

VOCAB_SIZE, NUM_EMOTIONS = 50, 4
# Without dropout the CPU has a kernel that keeps no scores, and its wide masks are not counted.
ENCODER = encoder_config(dropout_prob=0.0, attention_dropout_prob=0.0)
WHISPER = whisper_config()
Build = Callable[[], Recogniser | EmotionModel | CnnBlstmSa]


def system(name: str, config: EncoderConfig | CnnBlstmSaConfig, **changes: Any) -> Build:
    vocab_size = VOCAB_SIZE if "mtl" in name else None
    system = system_config(name, model=config, **changes)
    return lambda: build_system(system, NUM_EMOTIONS, vocab_size)


NETWORKS = {
    "recogniser": lambda: Recogniser(ENCODER, VOCAB_SIZE),
    "transformer": system("transformer", ENCODER),
    "transformer_tl_mtl": system("transformer_tl_mtl", ENCODER),
    "whisper recogniser": lambda: Recogniser(
        WHISPER, VOCAB_SIZE, head=CtcHeadConfig(kernel_sizes=[5, 3])
    ),
    "whisper": system("transformer_tl", WHISPER),
    "whisper, frames pooled": system(
        "transformer_tl_mtl", WHISPER, readout=ReadoutConfig(type="mean_sd")
    ),
    "whisper, moments and halves": system(
        "transformer_tl", WHISPER, readout=ReadoutConfig(type="moments_and_halves")
    ),
    "cnn_blstm_sa": system("cnn_blstm_sa", cnn_blstm_sa_config(num_channels=16)),
}


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
@pytest.mark.parametrize("name", NETWORKS)
def test_forward_flops_are_those_counted(name: str, num_frames: int) -> None:
    model = NETWORKS[name]().eval()
    with counted() as counter:
        model(*batch(num_frames))
    assert sum(forward_flops(model, num_frames).values()) == counter.get_total_flops()


@pytest.mark.parametrize("name", list(NETWORKS)[:-1])
def test_training_flops_are_nearly_those_counted(name: str) -> None:
    """Above what is counted by missing gradients: of the features, and of the pooling's weights."""
    model = NETWORKS[name]()
    with counted() as counter:
        output = model(*batch(300))
        sum(x.sum() for x in output if x is not None and x.requires_grad).backward()
    forward = forward_flops(model, 300)
    spared = forward["conv1"] + forward.get("readout", 0)
    assert TRAINING_PASSES * sum(forward.values()) - spared == counter.get_total_flops()


@pytest.mark.parametrize("name", NETWORKS)
def test_kept_bytes_are_those_that_autograd_keeps(name: str) -> None:
    num_utts, num_frames = 4, 600
    model = NETWORKS[name]()
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = model(*batch(num_frames, num_utts))
        logits = output[0] if isinstance(model, Recogniser) else output.ctc_logits
        if logits is not None:
            logits.log_softmax(dim=-1).sum()
    seen = sum(s.nbytes() for address, s in kept.items() if address not in own)
    assert num_utts * sum(kept_bytes(model, num_frames).values()) == pytest.approx(seen, rel=0.15)


@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_are_counted_without_memory(name: str) -> None:
    with torch.device("meta"):
        on_meta = NETWORKS[name]()
    assert count_parameters(on_meta) == sum(p.numel() for p in NETWORKS[name]().parameters())
    assert forward_flops(on_meta, 300) == forward_flops(NETWORKS[name](), 300)
