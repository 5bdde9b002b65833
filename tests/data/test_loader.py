"""Padded batches: equal to the plain way, in any process, and clear errors."""

import dataclasses
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny import SPEC_AUGMENT, ark_reader, random_feats, write_feats
from torch.nn.utils.rnn import pad_sequence

from ser.base.errors import SerError
from ser.data import loader as loader_module
from ser.data.batch import Batch, read_batch
from ser.data.loader import BatchRequest, load_batches, load_requested
from ser.data.utterances import FeatureReader, Utterance
from ser.feats.spec_augment import Spans, spec_augment_spans
from ser.kaldi.ark import ArkWriter, Matrix

NUM_FRAMES = {"s-a": 40, "s-b": 25, "s-c": 60, "s-d": 3}
TOKENS = {"s-a": [1, 2, 3], "s-b": [4], "s-c": [], "s-d": [5, 5]}
LABELS = {"s-a": 0, "s-b": 3, "s-c": 1, "s-d": 2}
UTTERANCES = [Utterance(utt, t, TOKENS[utt], LABELS[utt]) for utt, t in NUM_FRAMES.items()]
FEATS = {utt: matrix + 7 for utt, matrix in random_feats(NUM_FRAMES).items()}
BATCHES = [[2, 0], [3], [1, 2]]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> FeatureReader:
    return ark_reader(tmp_path_factory.mktemp("feats"), FEATS)


def plain_batch(indices: Sequence[int], spans: Spans | None) -> Batch:
    """The same batch the simple way: a list of matrices, masked, then padded."""
    chosen = [UTTERANCES[i] for i in indices]
    matrices = []
    for i, utterance in zip(indices, chosen, strict=True):
        matrix = FEATS[utterance.utt]
        matrix = matrix - matrix.mean(axis=0, keepdims=True)
        if spans:
            spans.mask(i, matrix)
        matrices.append(torch.from_numpy(matrix))
    tokens = [torch.tensor(u.tokens, dtype=torch.long) for u in chosen]
    return Batch(
        utts=tuple(u.utt for u in chosen),
        feats=pad_sequence(matrices, batch_first=True),
        feat_lens=torch.tensor([u.num_frames for u in chosen]),
        tokens=pad_sequence(tokens, batch_first=True),
        token_lens=torch.tensor([len(u.tokens) for u in chosen]),
        labels=torch.tensor([u.label for u in chosen]),
    )


def assert_same(batch: Batch, expected: Batch) -> None:
    assert batch.utts == expected.utts
    for name in ("feats", "feat_lens", "tokens", "token_lens", "labels"):
        found, wanted = getattr(batch, name), getattr(expected, name)
        assert found.dtype == wanted.dtype, name
        assert torch.equal(found, wanted), name


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(indices=st.lists(st.integers(0, 3), min_size=1, max_size=6), masked=st.booleans())
def test_equals_the_plain_way(reader: FeatureReader, indices: list[int], masked: bool) -> None:
    lens = list(NUM_FRAMES.values())
    spans = spec_augment_spans(lens, 80, SPEC_AUGMENT, 1, 0) if masked else None
    batch = read_batch(UTTERANCES, indices, reader, spans and spans.of(indices))
    assert_same(batch, plain_batch(indices, spans))


def test_known_batch(tmp_path: Path) -> None:
    feats = {u: np.full((t, 2), [1.0, -3.0], np.float32) for u, t in NUM_FRAMES.items()}
    feats["s-d"][:, 0] = [0, 3, 6]
    batch = read_batch(UTTERANCES, [0, 3], ark_reader(tmp_path, feats))
    assert batch.utts == ("s-a", "s-d")
    assert batch.feats.shape == (2, 40, 2)
    assert not batch.feats[0].any(), "the mean of each band is taken off"
    assert batch.feats[1, :3].tolist() == [[-3, 0], [0, 0], [3, 0]]
    assert not batch.feats[1, 3:].any(), "zero beyond the length"
    assert batch.feat_lens.tolist() == [40, 3]
    assert batch.tokens.tolist() == [[1, 2, 3], [5, 5, 0]]
    assert batch.token_lens.tolist() == [3, 2]
    assert batch.labels.tolist() == [0, 2]


def test_masks_of_features_that_are_not_centred_are_their_mean(tmp_path: Path) -> None:
    """As of Whisper's features; a second mask does not move what the first one set."""
    rng = np.random.default_rng(0)
    feats = {u: rng.normal(7, 1, (t, 80)).astype(np.float32) for u, t in NUM_FRAMES.items()}
    reader = FeatureReader(write_feats(tmp_path, feats), tmp_path / "feats.scp", "none")
    lens = list(NUM_FRAMES.values())
    spans = spec_augment_spans(lens, 80, SPEC_AUGMENT, 1, 0)
    batch = read_batch(UTTERANCES, [0, 1], reader, spans.of([0, 1]))
    for row, (utt, size) in enumerate(list(NUM_FRAMES.items())[:2]):
        found = batch.feats[row, :size].numpy()
        masked = found != feats[utt]
        assert 0 < masked.mean() < 1
        wanted = np.broadcast_to(feats[utt].mean(axis=0), found.shape)
        np.testing.assert_allclose(found[masked], wanted[masked], rtol=1e-5)


@pytest.mark.parametrize("num_workers", [0, 1, 2])
def test_order_masks_and_random_state_whatever_process_reads(
    reader: FeatureReader, num_workers: int
) -> None:
    spans = spec_augment_spans(list(NUM_FRAMES.values()), 80, SPEC_AUGMENT, 1, 0)
    reader["s-a"]  # an archive that is open already
    state = torch.get_rng_state()
    requests = (BatchRequest(batch, spans.of(batch)) for batch in BATCHES)
    batches = list(load_requested(UTTERANCES, reader, requests, num_workers=num_workers))
    assert torch.equal(torch.get_rng_state(), state)
    for batch, indices in zip(batches, BATCHES, strict=True):
        assert_same(batch, plain_batch(indices, spans))


def test_lengths_are_rounded_up_where_asked(reader: FeatureReader) -> None:
    (plain,) = load_batches(UTTERANCES, reader, [[0, 3]])
    (rounded,) = load_requested(UTTERANCES, reader, [BatchRequest([0, 3])], length_step=48)
    assert (plain.feats.shape[1], rounded.feats.shape[1]) == (40, 48)
    assert torch.equal(rounded.feats[:, :40], plain.feats)
    assert not rounded.feats[:, 40:].any()
    assert torch.equal(rounded.feat_lens, plain.feat_lens)


def test_workers_live_as_long_as_batches_are_wanted(
    reader: FeatureReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One process reads all, and reads ahead."""

    def tell(utterances: Sequence[Utterance], indices: Sequence[int], *rest: object) -> Batch:
        return dataclasses.replace(
            read_batch(utterances, indices, reader), utts=(str(os.getpid()),)
        )

    monkeypatch.setattr(loader_module, "read_batch", tell)
    asked: list[int] = []

    def requests() -> Iterator[BatchRequest]:
        for number in range(12):
            asked.append(number)
            yield BatchRequest([number % 4])

    batches = load_requested(UTTERANCES, reader, requests(), num_workers=1)
    first = next(batches).utts
    assert 1 < len(asked) < 12
    assert {batch.utts for batch in batches} == {first}
    assert first != (str(os.getpid()),)


@pytest.mark.long
def test_two_workers_do_not_share_a_position(tmp_path: Path) -> None:
    """A file that is open when processes part has one position for all of them."""
    num_frames = {f"u{i:03}": 20 + i % 50 for i in range(600)}
    feats = random_feats(num_frames)
    reader = ark_reader(tmp_path, feats)
    reader["u000"]
    utterances = [Utterance(utt, t) for utt, t in num_frames.items()]
    batches = [[i] for i in range(600)]
    for batch in load_requested(utterances, reader, map(BatchRequest, batches), num_workers=2):
        (utt,) = batch.utts
        matrix = feats[utt]
        assert np.array_equal(batch.feats[0].numpy(), matrix - matrix.mean(axis=0, keepdims=True))


def compressed(folder: Path, feats: Mapping[str, Matrix]) -> dict[str, str]:
    with ArkWriter(folder, "kaldi_compressed") as writer:
        for utt, matrix in feats.items():
            writer.write(utt, matrix)
        return writer.finish()


def test_compressed_features_are_read_too(tmp_path: Path) -> None:
    reader = FeatureReader(compressed(tmp_path, FEATS), tmp_path / "feats.scp", "utterance_mean")
    batch = read_batch(UTTERANCES, [2, 0], reader)
    for row, utt in enumerate(batch.utts):
        matrix = reader[utt]
        assert np.abs(matrix - FEATS[utt]).max() < 0.02 * np.ptp(FEATS[utt])
        expected = torch.from_numpy(matrix - matrix.mean(axis=0))
        # kaldiio's matrices lie in memory by column: their mean is rounded in another order.
        assert torch.allclose(batch.feats[row, : len(matrix)], expected, atol=1e-5)
        assert not batch.feats[row, len(matrix) :].any()


@pytest.mark.parametrize("num_workers", [0, 1])
@pytest.mark.parametrize(
    ("cut", "said"), [(1, "bytes are left"), (60 * 320 + 15, "no binary matrix")]
)
def test_a_cut_archive_names_the_utterance(
    tmp_path: Path, num_workers: int, cut: int, said: str
) -> None:
    scp = write_feats(tmp_path, {"s-a": FEATS["s-a"], "s-c": FEATS["s-c"]})
    ark = tmp_path / "feats.ark"
    os.truncate(ark, ark.stat().st_size - cut)
    reader = FeatureReader(scp, tmp_path / "feats.scp", "utterance_mean")
    requests = map(BatchRequest, [[0], [2]])
    batches = load_requested(UTTERANCES, reader, requests, num_workers=num_workers)
    assert next(batches).utts == ("s-a",)
    with pytest.raises(SerError, match=rf"no readable matrix \(s-c in .*{said}") as error:
        next(batches)
    assert "Traceback" not in str(error.value)


@pytest.mark.parametrize(("frames", "shape"), [(41, "41, 80"), (39, "39, 80")])
def test_another_number_of_frames_is_an_error(
    reader: FeatureReader, frames: int, shape: str
) -> None:
    wrong = [Utterance("s-a", frames)]
    with pytest.raises(SerError, match=rf"s-a in .*shape \(40, 80\) instead of \({shape}\)"):
        read_batch(wrong, [0], reader)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_full_memory_where_a_batch_goes_is_not_the_workers_fault(
    num_workers: int, reader: FeatureReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Batch, device: torch.device) -> Batch:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(Batch, "to", full)
    requests = map(BatchRequest, BATCHES)
    with pytest.raises(torch.OutOfMemoryError):
        list(load_requested(UTTERANCES, reader, requests, num_workers=num_workers))


def test_a_worker_that_dies_is_an_error(
    reader: FeatureReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(utterances: Sequence[Utterance], indices: Sequence[int], *rest: object) -> Batch:
        if indices == [3]:
            os.kill(os.getpid(), signal.SIGKILL)
        return read_batch(utterances, indices, reader)

    monkeypatch.setattr(loader_module, "read_batch", die)
    with pytest.raises(SerError, match=r"num_loader_workers 1: .* was lost .*set fewer"):
        list(load_requested(UTTERANCES, reader, map(BatchRequest, BATCHES), num_workers=1))
