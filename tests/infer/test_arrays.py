"""Arrays are heard like files, long ones in windows; what is no audio is named; results stay."""

import copy
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from tiny_audio import plant_files, untrained_model

from ser.base.errors import SerError


@pytest.mark.parametrize(
    ("array", "rate", "message"),
    [
        (np.zeros(100), None, "sample_rate None: expected Hz"),
        (np.zeros(100), 0, "sample_rate 0: expected Hz"),
        (np.zeros(0), 16000, r"audio of shape \(0,\)"),
        (np.zeros((1, 2, 3)), 16000, r"audio of shape \(1, 2, 3\)"),
        (np.zeros(100, np.int32), 16000, "audio of int32: expected floats"),
        (np.full(100, np.inf), 16000, "samples that are not finite"),
        (np.zeros(100), np.nan, "sample_rate nan: expected Hz"),
        (np.zeros(100), np.inf, "sample_rate inf: expected Hz"),
        (np.zeros(100), 16000.5, "sample_rate 16000.5: expected Hz, a whole number"),
        (np.zeros(100), 10**400, "a number of more than 300 digits"),
        (np.ma.masked_equal(np.zeros(100), 0), 16000, "some samples are masked"),
        (np.zeros(100), "16000", "sample_rate '16000': expected Hz"),
        (np.zeros((2, 16000)), 16000, r"shape \(2, 16000\): 16000 channels of 2 .* transpose"),
        (np.zeros((100, 80)), 16000, r"shape \(100, 80\): 80 channels of 100 .* 64 .* transpose"),
        (np.zeros(1), 192000, r"audio of shape \(1,\): 0 samples at 16000 Hz"),
    ],
)
def test_arrays_that_are_no_audio(array: Any, rate: int, message: str) -> None:
    with pytest.raises(SerError, match=message):
        untrained_model().predict(array, sample_rate=rate)
    with pytest.raises(SerError, match=message):
        list(untrained_model().predict_windows(array, 1, 1, sample_rate=rate))
    with pytest.raises(SerError, match=message):
        list(untrained_model().predict_speech(array, sample_rate=rate))


def test_a_rate_stands_beside_an_array_alone(tmp_path: Path) -> None:
    path, model = plant_files(tmp_path)[0], untrained_model()
    message = "sample_rate 16000: beside .* expected it with an array alone"
    with pytest.raises(SerError, match=message):
        model.predict(path, sample_rate=16000)
    for pieces in (path, iter([np.zeros(9000, np.float32)])):
        with pytest.raises(SerError, match=message):
            next(model.predict_windows(pieces, 1, 1, sample_rate=16000))
    expected = model.predict(np.ones(9000), 16000)
    assert model.predict(np.ones(9000), sample_rate=16000.0) == expected  # type: ignore[arg-type]  # whole
    assert model.predict(np.ones(9000), sample_rate=np.int64(16000)) == expected  # type: ignore[arg-type]  # whole


@pytest.mark.parametrize("rate", [16000, 22050])
def test_a_long_array_is_heard_like_the_file(tmp_path: Path, rate: int) -> None:
    """In windows, each at another loudness."""
    rng, model = np.random.default_rng(0), replace(untrained_model(), longest_seconds=2.0)
    samples = rng.normal(size=(9 * rate, 2)) * np.repeat(rng.uniform(0.001, 0.1, 9), rate)[:, None]
    soundfile.write(tmp_path / "long.wav", samples, rate, subtype="FLOAT")
    assert model.predict(samples, rate).posteriors == pytest.approx(
        model.predict(tmp_path / "long.wav").posteriors, abs=1e-6
    )
    parts = list(model.predict_windows(samples, 2, 1, sample_rate=rate))
    expected = list(model.predict_windows(tmp_path / "long.wav", 2, 1))
    assert [(p.start, p.end) for p in parts] == [(p.start, p.end) for p in expected]
    for part, other in zip(parts, expected, strict=True):
        assert part.posteriors == pytest.approx(other.posteriors, abs=1e-6)


@pytest.mark.long
def test_a_long_array_needs_little_memory_beside_itself() -> None:
    array = np.zeros(20 * 60 * 8000, np.int16)  # 20 minutes, as float32 at 16 kHz 77 MB
    tracemalloc.start()
    untrained_model().predict(array, 8000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 120e6


def test_what_a_result_holds_cannot_be_changed() -> None:
    model = untrained_model()
    result = model.predict(np.ones(9000), 16000)
    with pytest.raises(TypeError):
        result.posteriors["calm"] = 1.0  # type: ignore[index]  # the point
    assert list(result.posteriors) == ["calm", "lively"]
    assert result.posteriors == dict(result.posteriors)
    assert repr(result.posteriors) == repr(dict(result.posteriors))
    with pytest.raises(KeyError, match="angry"):
        result.posteriors["angry"]
    again = model.predict(np.ones(9000), 16000)
    assert {result, again} == {result} == {copy.deepcopy(result)}


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        (None, "None; expected a path"),
        (5, "5; expected a path"),
        ({}, "{}; expected a path"),
        ([np.zeros((9, 2))], "a piece of float64 and shape .9, 2.; expected mono"),
        ([b"samples"], "a piece of .S7 and shape"),
        ([[[1.0], [1.0, 2.0]]], "a piece that is no array"),
        ([np.zeros(9, complex)], "a piece of complex128"),
        ([np.zeros(9, np.int8)], "a piece of int8"),
        ([np.full(9, 1 << 20)], "a piece of int64"),
        ([np.ma.masked_equal(np.zeros(9), 0)], "a piece that is no array .some samples are masked"),
    ],
)
def test_pieces_that_are_none(pieces: Any, said: str) -> None:
    with pytest.raises(SerError, match=f"audio: {said}"):
        list(untrained_model().predict_windows(pieces, 1.0, 0.5))


def test_an_array_of_any_library_is_one_recording() -> None:
    """For all that predict; without its rate it is not taken for pieces in another scale."""
    model = untrained_model()
    noise = 0.1 * np.random.default_rng(0).normal(size=32000).astype(np.float32)
    whole, expected = model.predict(noise, 16000), list(model.predict_windows(noise, 1, 1, 16000))
    for array in (torch.from_numpy(noise), noise.tolist()):
        assert model.predict(array, 16000) == whole
        assert list(model.predict_windows(array, 1, 1, 16000)) == expected
        assert list(model.predict_speech(array, 16000)) == list(model.predict_speech(noise, 16000))
        with pytest.raises(SerError, match="sample_rate None: expected Hz"):
            list(model.predict_windows(array, 1, 1))


def test_pieces_may_come_in_one_array_that_is_filled_again() -> None:
    noise = 3000 * np.random.default_rng(0).normal(size=(20, 1600)).astype(np.float32)
    held = np.empty(1600, np.float32)

    def refilled() -> Iterator[np.ndarray]:
        for piece in noise:
            held[:] = piece
            yield held

    model = untrained_model()
    expected = list(model.predict_windows(iter(noise), 1.0, 1.0))
    assert list(model.predict_windows(refilled(), 1.0, 1.0)) == expected and len(expected) == 2


def test_pieces_of_one_column_are_mono() -> None:
    noise = 3000 * np.random.default_rng(0).normal(size=32000).astype(np.float32)
    model = untrained_model()
    flat, column, whole, listed = (
        [window.posteriors for window in model.predict_windows([pieces], 1.0, 0.5)]
        for pieces in (noise, noise[:, None], noise.astype(np.int16), noise.astype(int).tolist())
    )
    assert flat == column and len(flat) > 1
    assert whole == listed


def test_a_window_of_any_size_is_told() -> None:
    with pytest.raises(SerError, match="--window a number of more than 300 digits --hop 1: exp"):
        list(untrained_model().predict_windows([np.zeros(9)], 10**400, 1))


@pytest.mark.parametrize("window", ["1", None])
def test_windows_are_numbers(window: Any) -> None:
    with pytest.raises(SerError, match=f"--window {window} --hop 0.5: expected seconds"):
        list(untrained_model().predict_windows([np.zeros(9)], window, 0.5))
