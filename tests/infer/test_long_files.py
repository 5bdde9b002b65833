"""Long files: windows of one length, nothing left out, never whole in memory."""

import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import soundfile
from tiny_recipe import LABELS

from ser.base.arrays import Floats
from ser.infer.engine import Output
from ser.infer.model import Model
from ser.infer.recordings import stream_file
from ser.infer.windows import ROUNDING_SECONDS, windows


def test_a_long_file_is_the_mean_of_its_windows(model: Model, tmp_path: Path) -> None:
    """They are of equal length, none longer than what the model was trained on."""
    model = replace(model, longest_seconds=2.0)
    samples = 0.1 * np.random.default_rng(0).normal(size=5 * 16000)
    soundfile.write(tmp_path / "long.wav", samples, 16000)
    found = model.predict(tmp_path / "long.wav")
    third = (5 + ROUNDING_SECONDS) / 3
    parts = list(model.predict_windows(tmp_path / "long.wav", third, third))
    assert [p.end - p.start for p in parts] == pytest.approx(
        [third, third, 5 - 2 * third], abs=1e-4
    )
    for label in LABELS.names:
        mean = sum((p.end - p.start) * p.posteriors[label] for p in parts) / 5
        assert found.posteriors[label] == pytest.approx(mean)
    assert (found.start, found.end) == (0.0, 5.0)


def test_windows_of_a_long_file_are_of_equal_length(model: Model) -> None:
    """Not the last one shorter by what rounding adds to all others."""
    model = replace(model, longest_seconds=2.0)
    with mock.patch.object(Model, "_windows", side_effect=model._windows) as cut:
        model.predict(np.zeros(90 * 8000, np.float32) + 0.1, 8000)
    _, _, window, hop, _ = cut.call_args.args
    assert window == hop == pytest.approx(90 / 46 * 16000, abs=16)


def test_rounding_to_samples_adds_no_window(model: Model) -> None:
    def engine(inputs: Sequence[Floats]) -> list[Output]:
        return [Output(np.full(4, 0.25, np.float32), None) for _ in inputs]

    model = replace(model, engine=engine, tokenizer=None, longest_seconds=1.49)
    lengths: list[float] = []
    original = model._windows

    def note(*given: Any) -> Any:
        for result in original(*given):
            lengths.append(result.end - result.start)
            yield result

    with mock.patch.object(Model, "_windows", side_effect=note):
        model.predict(np.full(round(600.22 * 16000), 0.1, np.float32), 16000)
    assert len(lengths) == 406  # of 1.48 s at most
    assert min(lengths) > max(lengths) - 0.1


def test_an_hour_is_never_in_memory(tmp_path: Path) -> None:
    """No window and no piece that is read is longer than asked for."""
    path = tmp_path / "hour.flac"
    with soundfile.SoundFile(path, "w", 8000, 1) as file:
        for _ in range(3600):
            file.write(np.zeros(8000, np.int16))
    tracemalloc.start()
    num = sum(1 for _ in windows(stream_file(path, 16000), 16000 * 30, 16000 * 30))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert num == 120
    assert peak < 20e6  # the whole hour is 230 MB


@pytest.mark.parametrize(("length", "hop"), [(10, 10), (10, 3), (7, 7), (100, 50)])
@pytest.mark.parametrize("chunk", [1, 4, 1000])
def test_windows_leave_nothing_out(length: int, hop: int, chunk: int) -> None:
    stream = np.arange(53, dtype=np.float32)
    chunks = [stream[i : i + chunk] for i in range(0, len(stream), chunk)]
    found = list(windows(chunks, length, hop))
    assert {int(x) for _, samples in found for x in samples} == set(range(53))
    for i, (start, samples) in enumerate(found):
        assert start == i * hop
        assert samples.tolist() == stream[start : start + length].tolist()
    ends = [start + len(samples) for start, samples in found]
    assert ends == sorted(set(ends))  # every window hears something new


def test_a_long_window_costs_no_more_than_its_samples() -> None:
    """Ten minutes in pieces of a tenth of a second: each is copied once, not with each piece."""
    pieces = [np.zeros(1600, np.float32)] * 6000
    copied = 0
    concatenate = np.concatenate

    def count(arrays: list[Any]) -> Any:
        nonlocal copied
        joined = concatenate(arrays)
        copied += len(joined)
        return joined

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np, "concatenate", count)
        assert len(list(windows(pieces, 600 * 16000, 600 * 16000))) == 1
    assert copied == 600 * 16000
