"""``tools/enrolment_turns.py``: how many turns of a speaker are needed."""

from pathlib import Path
from typing import Any

import enrolment_turns
import numpy as np
import pytest
import torch
from tiny_recipe import EXP, FEATS

from ser.base.errors import SerError
from ser.corpus.fold_files import TEST, in_part, read_fold
from ser.data.utterances import read_feature_dir
from ser.infer.loading import load

NAME = "transformer_tl"


def test_how_many_turns_are_needed(
    packed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tool's table; without enrolment it counts what the networks say of each turn alone."""
    monkeypatch.chdir(packed)
    encoded = EXP / "encoded" / "ctc.mean_sd" / "ser"
    words = [str(EXP / NAME), str(encoded), "--turns", "1 2", "--draws", "2"]
    monkeypatch.setattr("sys.argv", ["enrolment_turns", *words])
    enrolment_turns.main()
    rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    table = {name: (float(wa), float(ua)) for name, wa, ua in rows}
    assert list(table)[:4] == ["none", "1 drawn at random", "2 drawn at random", "all"]
    assert {"those of sad alone", "only half the classes: all"} <= table.keys()
    features = read_feature_dir(encoded)
    right = []
    for fold in "123":
        model = load(EXP / NAME / "seed1" / f"fold{fold}")
        engine: Any = model.engine
        network = engine.networks[0]
        for utt in in_part(read_fold(EXP / "folds", fold), TEST):
            vector = torch.from_numpy(features.feats[utt][0])[None, None]
            with torch.inference_mode():
                logits = network(vector, torch.ones(1, dtype=torch.long), True).emotion_logits
            right.append(model.labels[int(logits.argmax())] == features.data["utt2emo"][utt])
    assert table["none"][0] == pytest.approx(100 * np.mean(right), abs=0.06)


def test_the_tool_names_what_does_not_fit(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(packed)
    encoded = EXP / "encoded" / "ctc.mean_sd" / "ser"
    for words, said in (
        ([EXP / NAME / "seed1", encoded], r"no seed1/fold\*; expected exp/<system>"),
        (
            [EXP / NAME, FEATS / "ser"],
            r"fold1: reads 128 values a turn; expected the 80",
        ),
        ([EXP / NAME, encoded, "--turns", "0"], "--turns 0"),
    ):
        monkeypatch.setattr("sys.argv", ["enrolment_turns", *map(str, words)])
        with pytest.raises(SerError, match=said):
            enrolment_turns.main()
