"""Both sides of the rows that compare with ESPnet; runs in the environment that has it.

python -m benchmarks.espnet_sides OUT.json step CASE
python -m benchmarks.espnet_sides OUT.json memory CASE SIDE
"""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from espnet2.asr.ctc import CTC
from espnet2.asr.encoder.transformer_encoder import TransformerEncoder
from torch import nn

from benchmarks.row import alternate_seconds, resident
from ser.config.network import TransformerConfig
from ser.config.schema import CtcConfig
from ser.nn.cpu.accelerate import accelerate
from ser.nn.losses import ctc_sum
from ser.nn.recogniser import Recogniser

THREADS = 2
ROUNDS = 3
VOCABULARY = 5001
NUM_TOKENS = 40
NUM_MEL_BINS = 80
FFN_DIM = 2048
DROPOUT = 0.1
CTC_CONFIG = CtcConfig(normalisation="per_utterance", max_too_short_prob=0.01)
MAX_LOSS_DIFFERENCE = 1e-4  # relative


class Case(NamedTuple):
    """Sizes of the model and of the batch; channels of the convolutions are d_model."""

    d_model: int
    num_blocks: int
    num_heads: int
    num_utts: int
    num_frames: int = 1200  # 12 s


CASES = {"small": Case(256, 12, 4, 16), "wide": Case(512, 4, 8, 8)}

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


class Ours(nn.Module):
    """Our recogniser with its loss, divided by the utterances as ESPnet's is."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        config = TransformerConfig(
            type="transformer",
            num_mel_bins=NUM_MEL_BINS,
            subsampling={
                "num_channels": case.d_model,
                "kernel_sizes": [3, 5],
                "strides": [2, 3],
            },
            d_model=case.d_model,
            num_blocks=case.num_blocks,
            num_heads=case.num_heads,
            head_dim=case.d_model // case.num_heads,
            ffn_dim=FFN_DIM,
            dropout_prob=DROPOUT,
            attention_dropout_prob=DROPOUT,
            layer_norm="post",
            initialisation="xavier",
        )
        self.recogniser = Recogniser(config, VOCABULARY)
        accelerate(self.recogniser)

    def forward(
        self,
        feats: torch.Tensor,
        feat_lens: torch.Tensor,
        tokens: torch.Tensor,
        token_lens: torch.Tensor,
    ) -> torch.Tensor:
        """The loss."""
        logits, frame_lens = self.recogniser(feats, feat_lens)
        return ctc_sum(logits, frame_lens, tokens, token_lens, CTC_CONFIG) / len(feats)


class Espnet(nn.Module):
    """ESPnet's Transformer encoder and CTC, of the same sizes."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.encoder = TransformerEncoder(
            NUM_MEL_BINS,
            output_size=case.d_model,
            attention_heads=case.num_heads,
            linear_units=FFN_DIM,
            num_blocks=case.num_blocks,
            dropout_rate=DROPOUT,
            positional_dropout_rate=DROPOUT,
            attention_dropout_rate=DROPOUT,
            input_layer="conv2d6",
            normalize_before=False,
        )
        self.ctc = CTC(VOCABULARY, case.d_model)

    def forward(
        self,
        feats: torch.Tensor,
        feat_lens: torch.Tensor,
        tokens: torch.Tensor,
        token_lens: torch.Tensor,
    ) -> torch.Tensor:
        """The loss."""
        hidden, hidden_lens, _ = self.encoder(feats, feat_lens)
        loss: torch.Tensor = self.ctc(hidden, hidden_lens, tokens, token_lens)
        return loss


# Beginnings of names: ours, ESPnet's. Ours are one product for queries, keys and values.
NAMES = {
    r"encoder\.subsampling\.conv1\.": "encoder.embed.conv.0.",
    r"encoder\.subsampling\.conv2\.": "encoder.embed.conv.2.",
    r"encoder\.subsampling\.projection\.": "encoder.embed.out.0.",
    r"encoder\.blocks\.(\d+)\.attention\.output\.": r"encoder.encoders.\1.self_attn.linear_out.",
    r"encoder\.blocks\.(\d+)\.feed_forward\.0\.": r"encoder.encoders.\1.feed_forward.w_1.",
    r"encoder\.blocks\.(\d+)\.feed_forward\.3\.": r"encoder.encoders.\1.feed_forward.w_2.",
    r"encoder\.blocks\.(\d+)\.attention_norm\.": r"encoder.encoders.\1.norm1.",
    r"encoder\.blocks\.(\d+)\.feed_forward_norm\.": r"encoder.encoders.\1.norm2.",
    r"ctc_head\.": "ctc.ctc_lo.",
}
QKV = re.compile(r"encoder\.blocks\.(\d+)\.attention\.qkv\.(weight|bias)")


def give_weights(ours: Ours, espnet: Espnet) -> None:
    """Copies our weights into ESPnet's model, all of them."""
    theirs: dict[str, torch.Tensor] = {}
    for name, tensor in ours.recogniser.state_dict().items():
        if match := QKV.fullmatch(name):
            for letter, part in zip("qkv", tensor.chunk(3), strict=True):
                theirs[f"encoder.encoders.{match[1]}.self_attn.linear_{letter}.{match[2]}"] = part
        else:
            (pattern,) = [pattern for pattern in NAMES if re.match(pattern, name)]
            theirs[re.sub(pattern, NAMES[pattern], name)] = tensor
    espnet.load_state_dict(theirs)


def random_batch(case: Case) -> Batch:
    """Unpadded utterances."""
    generator = torch.Generator().manual_seed(0)
    utts = case.num_utts
    return (
        torch.randn(utts, case.num_frames, NUM_MEL_BINS, generator=generator),
        torch.full((utts,), case.num_frames),
        torch.randint(1, VOCABULARY, (utts, NUM_TOKENS), generator=generator),
        torch.full((utts,), NUM_TOKENS),
    )


def stepper(model: nn.Module, batch: Batch) -> Callable[[], None]:
    """One step of training: loss, gradient, clipping, Adam."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)

    def step() -> None:
        optimizer.zero_grad()
        model(*batch).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()

    return step


def step(case_name: str) -> dict[str, Any]:
    """Seconds of a step of both, in turns, once their losses with equal weights agree."""
    case = CASES[case_name]
    ours, espnet, batch = Ours(case), Espnet(case), random_batch(case)
    give_weights(ours, espnet)
    with torch.no_grad():
        our_loss, their_loss = (float(model.eval()(*batch)) for model in (ours, espnet))
    difference = abs(our_loss - their_loss) / their_loss
    assert difference <= MAX_LOSS_DIFFERENCE, (our_loss, their_loss)
    sides = [stepper(model.train(), batch) for model in (ours, espnet)]
    our_seconds, their_seconds = alternate_seconds(ROUNDS, *sides)
    return {
        "our_seconds": our_seconds,
        "espnet_seconds": their_seconds,
        "our_parameters": num_parameters(ours),
        "espnet_parameters": num_parameters(espnet),
        "relative_loss_difference": difference,
        "sizes": case._asdict(),
        "threads": THREADS,
    }


def memory(case_name: str, side: str) -> dict[str, Any]:
    """Bytes that a step adds at its peak to what the process held before it.

    Resident memory, reset and read from Linux. Weights, Adam's state and the batch are there
    before; the gradients are not.
    """
    case = CASES[case_name]
    model = {"ours": Ours, "espnet": Espnet}[side](case)
    batch = random_batch(case)
    short = (batch[0][:1, :100], torch.tensor([100]), batch[2][:1, :5], torch.tensor([5]))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)
    for feats, feat_lens, tokens, token_lens in (short, batch):
        Path("/proc/self/clear_refs").write_text("5")  # the peak is that of now
        before = resident("VmRSS")
        model(feats, feat_lens, tokens, token_lens).backward()
        optimizer.step()
        optimizer.zero_grad()
    return {"peak_bytes": resident("VmHWM") - before, "bytes_before": before}


def num_parameters(model: nn.Module) -> int:
    """Weights of a model."""
    return sum(p.numel() for p in model.parameters())


def main() -> None:
    """Measures what is asked for."""
    out, what, *args = sys.argv[1:]
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    measured = {"step": step, "memory": memory}[what](*args)
    Path(out).write_text(json.dumps(measured))


if __name__ == "__main__":
    main()
