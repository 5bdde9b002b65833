"""What a network costs, against arithmetic and against what the CPU computes and keeps."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from tiny import cnn_blstm_sa_config, encoder_config, system_config, whisper_config
from torch.utils.flop_counter import FlopCounterMode

from ser.config.network import CnnBlstmSaConfig, CtcHeadConfig, EncoderConfig, ReadoutConfig
from ser.nn.cnn_blstm_sa import CnnBlstmSa
from ser.nn.cost import Cost, cost
from ser.nn.emotion import EmotionModel
from ser.nn.recogniser import Recogniser
from ser.nn.systems import build_system

VOCAB_SIZE, NUM_EMOTIONS = 50, 4
# Without dropout the CPU has a kernel that keeps no scores, as a GPU.
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


def cost_of(build: Build, num_frames: int) -> Cost:
    with torch.device("meta"):
        model = build()
    return cost(model, torch.empty(1, num_frames, 80, device="meta"))


def test_operations_by_hand() -> None:
    """300 frames of 80 bands: maps of 149 by 39 and of 49 by 12, 2 blocks of width 32."""
    size, width, channels = 49, 32, 4
    by_hand = {
        "encoder.subsampling.conv1": 149 * 39 * channels * 3**2,
        "encoder.subsampling.conv2": size * 12 * channels**2 * 5**2,
        "encoder.subsampling.projection": size * channels * 12 * width,
        "encoder.blocks.attention.qkv": 2 * size * width * 3 * width,
        "encoder.blocks.attention": 2 * size**2 * 2 * width,
        "encoder.blocks.attention.output": 2 * size * width * width,
        "encoder.blocks.feed_forward": 2 * size * 2 * width * 64,
        "ctc_head": size * width * VOCAB_SIZE,
    }
    counted = cost_of(NETWORKS["recogniser"], 300)
    assert counted.forward == {part: 2 * number for part, number in by_hand.items()}
    # Two products for each of the forward pass; the features need no gradient.
    spared = counted.forward["encoder.subsampling.conv1"]
    assert counted.backward == 2 * counted.forward.total() - spared


@pytest.mark.parametrize("num_frames", [5, 20, 201])
def test_an_unpacked_blstm_costs_what_a_packed_one_does(num_frames: int) -> None:
    model = NETWORKS["cnn_blstm_sa"]().eval()
    with (
        # Takes the LSTM apart into products that the counter knows.
        torch.backends.mkldnn.flags(enabled=False, allow_tf32=None),
        FlopCounterMode(display=False) as counter,
    ):
        model(*batch(num_frames))
    counted = cost_of(NETWORKS["cnn_blstm_sa"], num_frames)
    assert counted.forward.total() == counter.get_total_flops()


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
    counted = cost_of(NETWORKS[name], num_frames).kept.total()
    assert num_utts * counted == pytest.approx(seen, rel=0.15)


@pytest.mark.parametrize("prob", [0.0, 0.1])
def test_blocks_keep_masks_of_bytes_and_no_scores(prob: float) -> None:
    size, width, ffn_dim = 49, 32, 64
    config = encoder_config(dropout_prob=prob, attention_dropout_prob=prob)
    counted = cost_of(lambda: Recogniser(config, VOCAB_SIZE), 300)
    kept = sum(n for part, n in counted.kept.items() if part.startswith("encoder.blocks"))
    # Queries, keys, values, their sum; inputs of both layers, sums and normalised sums.
    values = 4 * width + 4 * width + ffn_dim
    dropped, masks = (ffn_dim, 2 * width + ffn_dim) if prob else (0, 0)
    statistics = 2 * 2  # of both norms
    assert kept == 2 * size * (4 * (values + dropped + statistics) + masks)
