"""An epoch of both sides, each with its own batching and loading; runs in ESPnet's environment.

python -m benchmarks.espnet_epoch OUT.json LIST BATCH_SIZE
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from espnet2.samplers.num_elements_batch_sampler import NumElementsBatchSampler
from espnet2.samplers.sorted_batch_sampler import SortedBatchSampler
from espnet2.train.dataset import ESPnetDataset
from torch import nn
from torch.utils.data import DataLoader

from benchmarks.espnet_sides import (
    NUM_MEL_BINS,
    THREADS,
    VOCABULARY,
    Batch,
    Case,
    Espnet,
    Ours,
    num_parameters,
)
from ser.data.loader import load_batches
from ser.data.sampler import epoch_batches
from ser.data.utterances import FeatureReader, Utterance
from ser.kaldi.ark import ArkWriter

# ESPnet's collate lies in a module that imports this one, with all its text front ends, for a
# function that is not used here.
PREPROCESSOR = ModuleType("espnet2.train.preprocessor")
PREPROCESSOR.detect_non_silence = None
sys.modules["espnet2.train.preprocessor"] = PREPROCESSOR
from espnet2.train.collate_fn import common_collate_fn  # noqa: E402

CASE = Case(d_model=144, num_blocks=4, num_heads=4, num_utts=0)
EPOCH_SECONDS = 1500  # of speech; a minute of computing at most
LENGTH_JITTER = 0.03
TOKENS_PER_SECOND = 3
FRAMES_PER_SECOND = 100


def read_lengths(path: Path) -> list[int]:
    """Every n-th of a list of frames, sorted, so that they are ``EPOCH_SECONDS`` in all."""
    frames = sorted(map(int, path.read_text().split()))
    step = max(1, round(sum(frames) / FRAMES_PER_SECOND / EPOCH_SECONDS))
    return frames[step // 2 :: step]


def write_data(folder: Path, lens: Sequence[int]) -> tuple[list[Utterance], FeatureReader]:
    """Random features and tokens; for ESPnet also its scp, tokens and shapes."""
    random = np.random.default_rng(0)
    names = [f"utt{number:05d}" for number in random.permutation(len(lens))]
    tokens = {
        name: random.integers(1, VOCABULARY, max(1, size * TOKENS_PER_SECOND // FRAMES_PER_SECOND))
        for name, size in zip(names, lens, strict=True)
    }
    with ArkWriter(folder, "float32") as writer:
        for name, size in zip(names, lens, strict=True):
            writer.write(name, random.standard_normal((size, NUM_MEL_BINS), dtype=np.float32))
        scp = writer.finish()
    tables = {
        "feats.scp": scp,
        "text": {name: " ".join(map(str, tokens[name])) for name in names},
        "shape": {name: f"{size},{NUM_MEL_BINS}" for name, size in zip(names, lens, strict=True)},
    }
    for table, rows in tables.items():
        lines = [f"{name} {value}\n" for name, value in rows.items()]
        Path(folder, table).write_text("".join(lines))
    utterances = [
        Utterance(name, size, tokens[name].tolist()) for name, size in zip(names, lens, strict=True)
    ]
    return utterances, FeatureReader(scp, folder / "feats.scp", "utterance_mean")


def our_batches(
    utterances: Sequence[Utterance], feats: FeatureReader, batch_size: int
) -> Iterator[Batch]:
    """Our sampler and loader."""
    lens = [u.num_frames for u in utterances]
    batches = epoch_batches(lens, batch_size, LENGTH_JITTER, seed=1, epoch=0)
    for batch in load_batches(utterances, feats, batches):
        yield batch.feats, batch.feat_lens, batch.tokens, batch.token_lens


def espnet_batches(folder: Path, sampler: Iterable[tuple[str, ...]]) -> Iterator[Batch]:
    """ESPnet's loading through kaldiio and its collate; each utterance's mean is taken off."""
    dataset = ESPnetDataset(
        [(f"{folder}/feats.scp", "feats", "kaldi_ark"), (f"{folder}/text", "tokens", "text_int")],
        preprocess=lambda _, data: data | {"feats": data["feats"] - data["feats"].mean(axis=0)},
    )
    for _, batch in DataLoader(dataset, batch_sampler=sampler, collate_fn=common_collate_fn):
        yield batch["feats"], batch["feats_lengths"], batch["tokens"], batch["tokens_lengths"]


def epoch_seconds(model: nn.Module, make_batches: Callable[[], Iterator[Batch]]) -> float:
    """Seconds of one epoch of training."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)
    began = time.perf_counter()
    for batch in make_batches():
        optimizer.zero_grad()
        model(*batch).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
    return time.perf_counter() - began


def epoch(lengths: Path, batch_size: int) -> dict[str, Any]:
    """Seconds of an epoch of ours, and of ESPnet's with either sampler."""
    lens = read_lengths(lengths)
    ours, espnet = Ours(CASE), Espnet(CASE)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        utterances, feats = write_data(folder, lens)
        shape = str(folder / "shape")
        bins = sum(lens) // len(lens) * batch_size * NUM_MEL_BINS
        samplers = {
            "sorted": SortedBatchSampler(batch_size, shape),
            "numel": NumElementsBatchSampler(bins, [shape]),
        }
        epoch_seconds(ours, lambda: our_batches(utterances[:batch_size], feats, batch_size))
        seconds = {"ours": epoch_seconds(ours, lambda: our_batches(utterances, feats, batch_size))}
        for sampler in samplers:
            seconds[sampler] = epoch_seconds(
                espnet, lambda s=samplers[sampler]: espnet_batches(folder, s)
            )
    return {
        "our_seconds": seconds.pop("ours"),
        "espnet_seconds": min(seconds.values()),
        **{f"espnet_{sampler}_seconds": value for sampler, value in seconds.items()},
        "our_parameters": num_parameters(ours),
        "espnet_parameters": num_parameters(espnet),
        "utterances": len(lens),
        "hours": sum(lens) / FRAMES_PER_SECOND / 3600,
        "batch_size_utts": batch_size,
        "threads": THREADS,
    }


def main() -> None:
    """Measures the epoch."""
    out, lengths, batch_size = sys.argv[1:]
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    Path(out).write_text(json.dumps(epoch(Path(lengths), int(batch_size))))


if __name__ == "__main__":
    main()
