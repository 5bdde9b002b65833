"""``ser.load``: files and arrays, batches and single ones, long files, threads, faults."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from tiny_audio import plant_files, run_folder, untrained_model
from tiny_recipe import FEATS, LABELS
from tracked import ROOT

import ser
from ser.audio.reading import INT16_SCALE, read_audio
from ser.base.arrays import Floats
from ser.base.errors import SerError
from ser.base.files import read_json
from ser.base.writing import write_json
from ser.infer import batches
from ser.infer.engine import Output
from ser.infer.loading import load
from ser.infer.model import Model
from ser.infer.recordings import stream_file
from ser.infer.result import Result


def test_what_a_result_says(model: Model, tmp_path: Path) -> None:
    path = plant_files(tmp_path)[1]
    result = model.predict(str(path))
    assert isinstance(result, ser.Result)
    assert json.loads(json.dumps(dict(result.posteriors))) == result.posteriors
    assert result.path == str(path)
    assert list(result.posteriors) == list(LABELS.names)
    assert sum(result.posteriors.values()) == pytest.approx(1)
    assert result.label == max(result.posteriors, key=lambda name: result.posteriors[name])
    assert result.confidence == result.posteriors[result.label]
    assert isinstance(result.words, str)
    assert (result.start, result.end) == (0.0, 2.0)
    with pytest.raises(FrozenInstanceError):
        result.label = "x"  # type: ignore[misc]
    assert replace(model, threshold=0.9999).predict(path).label is None


@pytest.mark.parametrize("kind", [np.int16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 2])
def test_an_array_is_heard_like_the_file(
    model: Model, tmp_path: Path, kind: Any, channels: int
) -> None:
    rng = np.random.default_rng(0)
    samples = (3000 * rng.normal(size=(44100, channels))).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", samples, 44100)
    array = samples if kind is np.int16 else (samples / INT16_SCALE).astype(kind)
    expected = model.predict(tmp_path / "a.wav")
    found = model.predict(array if channels == 2 else array[:, 0], sample_rate=44100)
    assert found.posteriors == pytest.approx(expected.posteriors, abs=1e-5)
    assert found.words == expected.words
    assert found.path == ""


def test_together_as_alone(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audio = plant_files(tmp_path)
    together = list(model.predict_files(audio))
    monkeypatch.setattr(batches, "AHEAD", 1)
    alone = replace(model, batch_size=1)
    for (path, a), (_, b) in zip(together, alone.predict_files(audio), strict=True):
        assert isinstance(a, Result) and isinstance(b, Result)
        assert a.path == b.path == str(path)
        assert a.words == b.words
        assert a.posteriors == pytest.approx(b.posteriors, abs=1e-5)


def test_threads_do_not_disturb_each_other(model: Model, tmp_path: Path) -> None:
    audio = plant_files(tmp_path) * 8
    alone = [model.predict(path) for path in audio]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(model.predict, audio))
    for a, b in zip(alone, together, strict=True):
        assert a.posteriors == pytest.approx(b.posteriors, abs=1e-6)
        assert (a.path, a.words) == (b.path, b.words)


FORKED = """
import multiprocessing, sys
from ser import load
model = load(sys.argv[1], num_threads=2)
first = model.predict(sys.argv[2])
with multiprocessing.get_context("fork").Pool(2) as pool:
    for other in pool.map_async(model.predict, sys.argv[2:] * 4).get(60):
        assert abs(other.posteriors[first.label] - first.posteriors[first.label]) < 1e-6
"""


@pytest.mark.long
def test_processes_that_are_forked_after_a_prediction_predict(
    package: Path, tmp_path: Path
) -> None:
    path = tmp_path / "a.wav"  # of some length: shorter ones are computed by one thread
    soundfile.write(path, 0.1 * np.random.default_rng(0).normal(size=16000 * 20), 16000)
    command = [sys.executable, "-c", FORKED, str(package), str(path)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run(command, env=env, check=False).returncode == 0


def test_batches_fit_into_memory(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def note(inputs: list[Any]) -> list[Any]:
        sizes.append(len(inputs) * max(map(len, inputs)))
        return model.engine(inputs)

    monkeypatch.setattr(batches, "MAX_FRAMES", 300)
    noted = replace(model, engine=note)
    assert len(list(noted.predict_files(plant_files(tmp_path)))) == 4
    assert len(sizes) > 1 and max(sizes) <= 300


def test_a_batch_may_be_larger_than_what_is_read_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    model = untrained_model()

    def note(inputs: list[Any]) -> list[Any]:
        sizes.append(len(inputs))
        return model.engine(inputs)

    monkeypatch.setattr(batches, "AHEAD", 2)
    noted = replace(model, engine=note, batch_size=5)
    path = plant_files(tmp_path)[0]
    assert len(list(noted.predict_files([path] * 7))) == 7
    assert sizes == [5, 2]
    monkeypatch.setattr(batches, "MAX_AHEAD", 2 * soundfile.info(path).frames - 1)
    sizes.clear()
    assert len(list(noted.predict_files([path] * 7))) == 7
    assert sizes == [2, 2, 2, 1], "however large a batch may be, memory is bounded"


def test_a_batch_that_does_not_fit_into_memory(model: Model, tmp_path: Path) -> None:
    def engine(inputs: Sequence[Floats]) -> list[Output]:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 GB")

    with pytest.raises(SerError, match=r"audio: does not fit into memory in a batch of 1 rec"):
        replace(model, engine=engine).predict(np.ones(16000, np.float32) / 10, 16000)
    (path,) = plant_files(tmp_path)[:1]
    with pytest.raises(SerError, match=rf"{path}: does not fit .*; take smaller batches"):
        replace(model, engine=engine).predict(path)


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_a_stream_is_the_file(tmp_path: Path, rate: int) -> None:
    samples = 0.1 * np.random.default_rng(0).normal(size=(3 * rate + 17, 2))
    soundfile.write(tmp_path / "a.wav", samples, rate, subtype="FLOAT")
    whole = read_audio(tmp_path / "a.wav", "a", 16000)
    pieces = np.concatenate(list(stream_file(tmp_path / "a.wav", 16000)))
    assert len(pieces) == pytest.approx(len(whole), abs=1)
    n = min(len(pieces), len(whole))
    assert np.abs(pieces[:n] - whole[:n]).max() < 2.0  # of 32768


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_stream_with_a_sample_that_is_no_number(tmp_path: Path, value: float) -> None:
    """In the second block, in one channel of two."""
    samples = np.zeros((3 * 16000, 2))
    samples[20000, 1] = value
    soundfile.write(tmp_path / "a.wav", samples, 16000, subtype="FLOAT")
    with pytest.raises(SerError, match=r"a\.wav: 1 of \d+ samples are not finite .* numbers"):
        list(stream_file(tmp_path / "a.wav", 16000))


def test_a_system_without_words(trained_recipe: Path, baseline: Model, tmp_path: Path) -> None:
    assert not (trained_recipe / run_folder("cnn_blstm_sa", "1") / "bpe.model").exists()
    result = baseline.predict(plant_files(tmp_path)[0])
    assert result.words is None
    assert len(result.posteriors) == len(LABELS.names)


def test_unfinished_and_foreign_folders_are_named(trained: Path) -> None:
    with pytest.raises(SerError, match=r"exp/transformer/seed1/fold1: no package\.json; expected"):
        load(run_folder("transformer", "1"))
    with pytest.raises(SerError, match=r"ser/run\.json: no record of a system.*'system'"):
        load(FEATS / "ser")
    path = run_folder("cnn_blstm_sa", "1") / "run.json"
    record = read_json(path)
    write_json(path, [])
    with pytest.raises(SerError, match=r"run\.json: (no record of a system|Input should be)"):
        load(path.parent)
    write_json(path, {**record, "notes": {}})
    with pytest.raises(SerError, match=r"run\.json: no record of a system.*'fbank'.*--force"):
        load(path.parent)


@pytest.mark.parametrize("name", ["batch_size", "num_threads"])
@pytest.mark.parametrize("number", [2.0, True, np.float64(2)])
def test_numbers_of_load_are_whole(name: str, number: Any) -> None:
    with pytest.raises(SerError, match=r"^--(batch|threads) .*: expected an int$"):
        load("model/", **{name: number})


def test_ser_has_no_other_attributes() -> None:
    with pytest.raises(AttributeError, match="no attribute 'laod'"):
        ser.laod  # noqa: B018


@pytest.mark.slow
def test_types_hold_in_a_users_project(tmp_path: Path) -> None:
    (tmp_path / "use.py").write_text(
        "import numpy as np\n"
        "from ser import load\n"
        "model = load('model/')\n"
        "result = model.predict('a.wav')\n"
        "label: str | None = result.label\n"
        "share: float = result.posteriors['ang']\n"
        "for part in model.predict_windows(np.zeros(9), window=3, hop=1, sample_rate=16000):\n"
        "    print(part.start, hash(part))\n"
        "wrong: int = result.label\n"
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "use.py"]
    found = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (
        'use.py:9: error: Incompatible types in assignment (expression has type "str | None"'
        in (found.stdout)
    )
    assert "Found 1 error in 1 file" in found.stdout
