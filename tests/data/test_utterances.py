"""From a feature folder to padded batches."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import ark_reader, random_feats, write_feature_dir

from ser.base.errors import SerError
from ser.data.batch import collate
from ser.data.loader import load_batches
from ser.data.utterances import FeatureDir, Utterance, normalised, read_feature_dir, select

NUM_FRAMES = {"s-a": 40, "s-b": 25, "s-c": 60, "s-d": 3}
TOKENS = {"s-a": [1, 2, 3], "s-b": [4], "s-c": [], "s-d": [5, 5]}
LABELS = {"s-a": 0, "s-b": 3, "s-c": 1, "s-d": 2}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    feats = {utt: matrix + 7 for utt, matrix in random_feats(NUM_FRAMES).items()}
    tables = {"text": dict.fromkeys(feats, "HELLO"), "utt2spk": dict.fromkeys(feats, "s")}
    write_feature_dir(tmp_path / "ser", feats, tables, {})
    return tmp_path / "ser"


@pytest.fixture
def features(path: Path) -> FeatureDir:
    return read_feature_dir(path)


def test_utterances_carry_their_targets(features: FeatureDir) -> None:
    chosen = select(features, {"s-d", "s-a"}, TOKENS, LABELS)
    assert chosen == [Utterance("s-a", 40, [1, 2, 3], 0), Utterance("s-d", 3, [5, 5], 2)]
    assert select(features, ["s-b"]) == [Utterance("s-b", 25)]


def test_unknown_utterance_is_refused(features: FeatureDir) -> None:
    with pytest.raises(SerError, match=r"s-x has no features.*stage 1"):
        select(features, ["s-a", "s-x"])
    with pytest.raises(SerError, match="no utterances are chosen"):
        select(features, [])


@pytest.mark.parametrize(
    ("table", "message"), [("feats.scp", r"utt2spk: s-d"), ("utt2num_frames", r"utt2spk: s-d")]
)
def test_tables_that_differ_are_refused(path: Path, table: str, message: str) -> None:
    lines = (path / table).read_text().splitlines(keepends=True)
    (path / table).write_text("".join(lines[:-1]))
    with pytest.raises(SerError, match=message):
        read_feature_dir(path)


def test_the_utterance_mean_is_taken_off_each_band(features: FeatureDir) -> None:
    raw = features.feats["s-a"].copy()
    feats = normalised(features.feats, "s-a")
    assert torch.allclose(feats.mean(dim=0), torch.zeros(80), atol=1e-5)
    assert np.allclose(feats.numpy(), raw - raw.mean(axis=0), atol=1e-5)
    assert np.array_equal(features.feats["s-a"], raw), "mean only, and the archive stays raw"


def test_batch_is_zero_beyond_the_lengths() -> None:
    utterances = [Utterance(utt, t, TOKENS[utt], LABELS[utt]) for utt, t in NUM_FRAMES.items()]
    feats = [torch.full((t, 80), 1.0) for t in NUM_FRAMES.values()]
    batch = collate(utterances, feats)
    assert batch.utts == tuple(NUM_FRAMES)
    assert batch.feats.shape == (4, 60, 80)
    assert batch.feat_lens.tolist() == list(NUM_FRAMES.values())
    assert batch.feats.sum(dim=(1, 2)).tolist() == [80 * t for t in NUM_FRAMES.values()]
    assert batch.tokens.tolist() == [[1, 2, 3], [4, 0, 0], [0, 0, 0], [5, 5, 0]]
    assert batch.token_lens.tolist() == [3, 1, 0, 2]
    assert batch.labels.tolist() == [0, 3, 1, 2]


@pytest.mark.parametrize("num_workers", [0, 1])
def test_loader_keeps_the_order_and_the_random_state(
    features: FeatureDir, num_workers: int
) -> None:
    utterances = select(features, NUM_FRAMES, TOKENS, LABELS)
    features.feats["s-a"]  # an archive that is open already does not travel to workers
    state = torch.get_rng_state()
    batches = list(load_batches(utterances, features.feats, [[2, 0], [3], [1, 2]], num_workers))
    assert torch.equal(torch.get_rng_state(), state)
    assert [batch.utts for batch in batches] == [("s-c", "s-a"), ("s-d",), ("s-b", "s-c")]
    expected = normalised(features.feats, "s-a")
    assert torch.equal(batches[0].feats[1, :40], expected)
    assert not batches[0].feats[1, 40:].any()


def test_two_workers_do_not_share_an_open_archive(tmp_path: Path) -> None:
    """A file that is open when processes part has one position for all of them."""
    num_frames = {f"u{i:03}": 20 + i % 50 for i in range(600)}
    feats = random_feats(num_frames)
    reader = ark_reader(tmp_path, feats)
    reader["u000"]
    utterances = [Utterance(utt, t) for utt, t in num_frames.items()]
    batches = [[i] for i in range(600)]
    for batch in load_batches(utterances, reader, batches, num_workers=2):
        (utt,) = batch.utts
        matrix = feats[utt]
        assert np.array_equal(batch.feats[0].numpy(), matrix - matrix.mean(axis=0, keepdims=True))
