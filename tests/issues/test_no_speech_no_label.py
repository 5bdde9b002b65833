"""Silence, a sample, channels that cancel: told in stage 1, and no label in prediction."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from tiny import FBANK
from tiny_audio import untrained_model

from ser.base.errors import SerError
from ser.config.labels import LabelsConfig
from ser.corpus.prepare import prepare_table
from ser.feats.extract import extract_features
from ser.infer.windows import ROUNDING_SECONDS

RATE = 16000
NOISE = 0.1 * np.random.default_rng(0).normal(size=RATE)
FLAGGED = {
    "silence": np.zeros(RATE),
    "sample": np.array([0.1]),
    "cancelled": np.stack([NOISE, -NOISE], axis=1),
}
FLAGS = {"silence": "silence", "sample": "too short", "cancelled": "silence"}


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    for name, samples in {**FLAGGED, "noise": NOISE}.items():
        soundfile.write(tmp_path / f"{name}.wav", samples, RATE)
    return tmp_path


def test_a_model_gives_no_label(audio: Path) -> None:
    model = untrained_model()
    for name in FLAGGED:
        result = model.predict(audio / f"{name}.wav")
        assert (result.label, result.flag) == (None, FLAGS[name])
        assert sum(result.posteriors.values()) == pytest.approx(1)
        anyway = replace(model, any_audio=True).predict(audio / f"{name}.wav")
        assert anyway.label is not None and anyway.flag == FLAGS[name]
    noise = model.predict(audio / "noise.wav")
    assert noise.label is not None and noise.flag is None


def test_windows_are_flagged_one_by_one_and_a_long_recording_is_what_sounds() -> None:
    model = untrained_model()
    parts = [np.zeros(3 * RATE), np.resize(NOISE, 3 * RATE)]
    flags = [w.flag for w in model.predict_windows(np.concatenate(parts), 3, 3, RATE)]
    assert flags == ["silence", None]
    long = np.concatenate([np.zeros(75 * RATE), np.resize(NOISE, 25 * RATE)])  # in four windows
    last = 3 * round((100 + ROUNDING_SECONDS) / 4 * RATE)
    result, sounding = model.predict(long, RATE), model.predict(long[last:], RATE)
    assert result.flag is None and result.end == 100
    assert dict(result.posteriors) == pytest.approx(dict(sounding.posteriors), abs=1e-4)
    assert model.predict(np.zeros(90 * RATE), RATE).flag == "silence"


@pytest.mark.parametrize("num_processes", [1, 2])
def test_stage_1_lists_them(audio: Path, num_processes: int, log: Any) -> None:
    rows = [f"{name}.wav,{i % 2},s{i}" for i, name in enumerate([*FLAGGED, "noise"])]
    table = audio / "t.csv"
    table.write_text("\n".join(["path,label,speaker", *rows]) + "\n")
    labels = LabelsConfig(classes={"a": ["0"], "b": ["1"]}, exclude=[])
    prepare_table(table, audio / "data", labels)
    assert log.find(r"warning: 1 utterances shorter than 25 ms, s1-sample the first")
    out = audio / "dump"
    extract_features(audio / "data", out, FBANK, num_processes)
    listed = (out / "no_speech.tsv").read_text()
    assert listed == "s0-silence\tsilence\ns1-sample\ttoo short\ns2-cancelled\tsilence\n"
    (line,) = log.find("cannot be speech")
    assert "3 of 4 utterances cannot be speech (2 silence, 1 too short), s0-silence the fi" in line
    log.lines.clear()
    soundfile.write(audio / "silence.wav", NOISE, RATE)
    for name in ("sample", "cancelled"):
        soundfile.write(audio / f"{name}.wav", NOISE[::-1] if name == "sample" else NOISE / 2, RATE)
    prepare_table(table, audio / "data", labels)
    extract_features(audio / "data", out, FBANK, num_processes)
    assert not (out / "no_speech.tsv").exists() and not log.find("cannot be speech")


def test_a_corpus_of_another_scale_is_no_speech(tmp_path: Path) -> None:
    for name in ("a", "b"):  # floating point, as if it were 16-bit integers
        soundfile.write(tmp_path / f"{name}.wav", 20000 * NOISE, RATE, "FLOAT")
    table = tmp_path / "t.csv"
    table.write_text("path,label,speaker\na.wav,0,s\nb.wav,1,s\n")
    labels = LabelsConfig(classes={"a": ["0"], "b": ["1"]}, exclude=[])
    prepare_table(table, tmp_path / "data", labels)
    for _ in range(2):  # the second call goes on from the first
        with pytest.raises(SerError, match=r"none of 2 utterances can be speech \(2 clipped\)"):
            extract_features(tmp_path / "data", tmp_path / "dump", FBANK, 1)
    assert not (tmp_path / "dump" / "run.json").exists()
