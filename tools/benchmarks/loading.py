"""Batching and loading beside a simple loop over kaldiio."""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kaldiio
import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch.nn.utils.rnn import pad_sequence

import ser
from benchmarks.corpora import speech_num_frames
from benchmarks.row import Row, alternate_seconds
from ser.config.load import load_config
from ser.config.schema import PretrainConfig, SpecAugmentConfig, SystemConfig, TrainingConfig
from ser.data.loader import BatchRequest, load_requested
from ser.data.sampler import epoch_batches
from ser.data.utterances import FeatureReader, Utterance
from ser.feats.spec_augment import spec_augment_spans
from ser.kaldi.ark import ArkWriter
from ser.kaldi.table import write_table

CONF = Path(ser.__file__).parents[1] / "egs" / "iemocap" / "conf"
FRAMES_PER_HOUR = 360_000
NUM_HOURS = 20
NUM_MEL_BINS = 80
NUM_TOKENS_PER_FRAME = 0.04  # BPE pieces in read speech
MASKS = SpecAugmentConfig(  # LibriSpeech basic (Park et al., 2019)
    num_freq_masks=2,
    max_freq_mask_bins=27,
    num_time_masks=2,
    max_time_mask_frames=100,
    max_time_mask_prob=0.99,
)
SEED = 1


def padding_fraction() -> Row:
    """Padded share of all frames at the paper's batch sizes, the worst of ten epochs."""
    pretrain = load_config(CONF / "pretrain" / "ctc.yaml", PretrainConfig).training
    finetune = load_config(CONF / "systems" / "transformer.yaml", SystemConfig).training
    cases, raw = {}, {}
    for case, training in (("librispeech_train_clean_5", pretrain), ("iemocap", finetune)):
        lens = speech_num_frames(case)
        epochs = [batches_of(lens, training, epoch) for epoch in range(11)]
        cases[case] = max(padded_share(lens, batches) for batches in epochs[:-1])
        changed = min(map(changed_share, epochs[:-1], epochs[1:]))
        assert changed >= 0.5
        raw |= {
            f"{case}.batch_size_utts": training.batch_size_utts,
            f"{case}.length_jitter_prob": training.length_jitter_prob,
            f"{case}.utterances": len(lens),
            f"{case}.batches_with_other_members_next_epoch": round(changed, 3),
        }
    return Row(
        key="padding_fraction", value=max(cases.values()), target="<= 0.05", cases=cases, raw=raw
    )


def batches_of(lens: Sequence[int], training: TrainingConfig, epoch: int) -> list[list[int]]:
    """The batches of an epoch under a configuration."""
    return epoch_batches(lens, training.batch_size_utts, training.length_jitter_prob, SEED, epoch)


def padded_share(lens: Sequence[int], batches: Sequence[Sequence[int]]) -> float:
    """Padded frames / all frames."""
    return 1 - sum(lens) / sum(max(lens[i] for i in batch) * len(batch) for batch in batches)


def changed_share(batches: Sequence[Sequence[int]], later: Sequence[Sequence[int]]) -> float:
    """Share of the batches that do not occur with the same members in the next epoch."""
    kept = {frozenset(batch) for batch in later}
    return sum(frozenset(batch) not in kept for batch in batches) / len(batches)


@dataclass(frozen=True)
class Corpus:
    """An archive of random frames with the lengths of read speech."""

    scp: Path
    feats: FeatureReader
    utterances: list[Utterance]
    batches: list[list[int]]

    @property
    def hours(self) -> float:
        """Hours of speech that the frames stand for."""
        return sum(u.num_frames for u in self.utterances) / FRAMES_PER_HOUR

    @property
    def lens(self) -> list[int]:
        """T of each utterance."""
        return [u.num_frames for u in self.utterances]


def write_corpus(folder: Path) -> Corpus:
    """Writes at least 20 h of distinct float32 frames, 2.3 GB."""
    lens = speech_num_frames("librispeech_train_clean_5")
    lens = lens * -(-NUM_HOURS * FRAMES_PER_HOUR // sum(lens))
    random = np.random.default_rng(SEED)
    utterances = []
    with ArkWriter(folder, "float32") as writer:
        for number, size in enumerate(lens):
            tokens = random.integers(1, 5001, int(NUM_TOKENS_PER_FRAME * size)).tolist()
            utterances.append(Utterance(f"utt{number:06}", size, tokens))
            frames = random.random((size, NUM_MEL_BINS), dtype=np.float32)
            writer.write(utterances[-1].utt, frames)
        scp = writer.finish()
    write_table(folder / "feats.scp", scp)
    training = load_config(CONF / "pretrain" / "ctc.yaml", PretrainConfig).training
    feats = FeatureReader(scp, folder / "feats.scp", "utterance_mean")
    return Corpus(folder / "feats.scp", feats, utterances, batches_of(lens, training, 0))


def our_epoch(corpus: Corpus, num_workers: int = 0) -> int:
    """One epoch by the loader; returns the padded frames, so that all is delivered."""
    spans = spec_augment_spans(corpus.lens, NUM_MEL_BINS, MASKS, SEED, 0)
    requests = (BatchRequest(batch, spans.of(batch)) for batch in corpus.batches)
    loader = load_requested(corpus.utterances, corpus.feats, requests, num_workers=num_workers)
    return sum(batch.feats.shape[0] * batch.feats.shape[1] for batch in loader)


def simple_epoch(corpus: Corpus) -> int:
    """The same epoch by a simple loop: kaldiio, a list of tensors, masks one by one."""
    return sum(feats.shape[0] * feats.shape[1] for feats, *_ in simple_batches(corpus))


def simple_batches(corpus: Corpus) -> Iterator[tuple[torch.Tensor, ...]]:
    """Padded features and tokens with their lengths."""
    matrices = kaldiio.load_scp(str(corpus.scp))
    for indices in corpus.batches:
        chosen = [corpus.utterances[i] for i in indices]
        feats = []
        for utterance in chosen:
            matrix = torch.from_numpy(matrices[utterance.utt].copy())
            matrix -= matrix.mean(dim=0)
            mask(matrix)
            feats.append(matrix)
        tokens = [torch.tensor(u.tokens) for u in chosen]
        yield (
            pad_sequence(feats, batch_first=True),
            torch.tensor([len(f) for f in feats]),
            pad_sequence(tokens, batch_first=True),
            torch.tensor([len(t) for t in tokens]),
        )


def mask(feats: torch.Tensor) -> None:
    """SpecAugment of one utterance (T, F) in place, by PyTorch's generator."""
    size, bins = feats.shape
    for _ in range(MASKS.num_freq_masks):
        width = int(torch.randint(MASKS.max_freq_mask_bins + 1, ()))
        start = int(torch.randint(bins - width + 1, ()))
        feats[:, start : start + width] = 0
    widest = min(MASKS.max_time_mask_frames, int(MASKS.max_time_mask_prob * size))
    for _ in range(MASKS.num_time_masks):
        width = int(torch.randint(widest + 1, ()))
        start = int(torch.randint(size - width + 1, ()))
        feats[start : start + width] = 0


@contextlib.contextmanager
def one_thread_and_corpus() -> Iterator[tuple[Corpus, dict[str, Any]]]:
    """Limits this process to one thread and yields an archive, and what to say of it."""
    torch.set_num_threads(1)
    with threadpool_limits(1), tempfile.TemporaryDirectory() as folder:
        corpus = write_corpus(Path(folder))
        yield (
            corpus,
            {
                "hours": round(corpus.hours, 2),
                "threads": 1,
                "batch_size_utts": len(corpus.batches[0]),
                "num_mel_bins": NUM_MEL_BINS,
                "page_cache": "warm after a first epoch that does not count",
            },
        )


def loader_realtime_per_core() -> Row:
    """Hours of speech an hour that one core delivers as padded, masked, tokenised batches."""
    with one_thread_and_corpus() as (corpus, raw):
        (seconds,) = alternate_seconds(3, lambda: our_epoch(corpus))
        (worker_seconds,) = alternate_seconds(1, lambda: our_epoch(corpus, num_workers=1))
    raw |= {
        "seconds": round(seconds, 3),
        "one_worker_process.seconds": round(worker_seconds, 3),
        "one_worker_process.realtime": round(3600 * corpus.hours / worker_seconds),
    }
    value = 3600 * corpus.hours / seconds
    return Row(key="loader_realtime_per_core", value=value, target=">= 29000", raw=raw)


def loader_vs_kaldiio() -> Row:
    """The same epoch in one process: seconds of the simple loop / ours."""
    with one_thread_and_corpus() as (corpus, raw):
        assert our_epoch(corpus) == simple_epoch(corpus)
        seconds, theirs = alternate_seconds(
            3, lambda: our_epoch(corpus), lambda: simple_epoch(corpus)
        )
    raw |= {
        "seconds": round(seconds, 3),
        "kaldiio_seconds": round(theirs, 3),
        "kaldiio_realtime": round(3600 * corpus.hours / theirs),
    }
    return Row(key="loader_vs_kaldiio", value=theirs / seconds, target=">= 1.4", raw=raw)
