"""From a feature folder to utterances with targets."""

from pathlib import Path
from typing import Any

import pytest
from tiny import random_feats, write_feature_dir

from ser.base.errors import SerError
from ser.data.utterances import FeatureDir, Utterance, read_feature_dir, report_lengths, select

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
    with pytest.raises(SerError, match=r"no features of 1 utterances, s-x the first.*stage 1"):
        select(features, ["s-a", "s-x"])
    with pytest.raises(SerError, match="0 utterances of it are chosen"):
        select(features, [])


@pytest.mark.parametrize("table", ["feats.scp", "utt2num_frames"])
def test_tables_that_differ_are_refused(path: Path, table: str) -> None:
    lines = (path / table).read_text().splitlines(keepends=True)
    (path / table).write_text("".join(lines[:-1]))
    with pytest.raises(SerError, match="utt2spk: s-d"):
        read_feature_dir(path)


def test_lengths_that_matter_are_told(log: Any) -> None:
    report_lengths([Utterance("s-a", 40), Utterance("s-b", 6000)], 11, "run")
    assert not log.lines
    utterances = [Utterance("s-a", 3), Utterance("s-b", 59998), Utterance("s-c", 6001)]
    report_lengths(utterances, 11, "run")
    short, long = log.lines
    assert short == "warning: run: 1 utterances shorter than 11 frames are padded, s-a first"
    assert long.startswith("warning: run: 2 utterances of more than 6000 frames, s-b first with 59")
