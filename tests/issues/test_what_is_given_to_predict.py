"""A phone's .m4a, a film, the bytes of an upload, a list: predicted, or told what to do."""

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from corpora import plant_film
from tiny_audio import plant_files, untrained_model

from ser.base.errors import SerError
from ser.infer.inputs import audio_inputs


@pytest.fixture
def film(tmp_path: Path) -> Path:
    plant_film(tmp_path / "clip.mp4")
    return tmp_path / "clip.mp4"


def test_a_film_is_predicted_like_its_sound(film: Path) -> None:
    model = untrained_model()
    result = model.predict(film)
    assert result.label is not None and 0.9 < result.end < 1.1
    (windowed,) = model.predict_windows(film, 2, 2)
    assert windowed.posteriors == pytest.approx(result.posteriors)


def test_bytes_and_open_files_are_the_file(film: Path, tmp_path: Path) -> None:
    model = untrained_model()
    for path in (*plant_files(tmp_path)[:3], film):
        expected = model.predict(path).posteriors
        with path.open("rb") as stream:
            for given in (path.read_bytes(), bytearray(path.read_bytes()), stream):
                result = model.predict(given)
                assert result.path == ""
                assert dict(result.posteriors) == pytest.approx(dict(expected), abs=1e-6)
        (windowed,) = model.predict_windows(io.BytesIO(path.read_bytes()), 9, 9)
        assert dict(windowed.posteriors) == pytest.approx(dict(expected), abs=1e-6)


def test_a_list_of_numbers_is_an_array() -> None:
    model = untrained_model()
    samples = np.random.default_rng(0).normal(scale=0.1, size=4000)
    assert model.predict(samples.tolist(), 16000) == model.predict(samples, 16000)  # type: ignore[arg-type]  # as users do


@pytest.mark.parametrize(
    ("given", "rate", "said"),
    [
        (b"no audio", None, "audio of 8 bytes: no sound to read"),
        (b"", None, "audio of 0 bytes: not readable"),
        (io.BytesIO(b""), None, "audio of 0 bytes: not readable"),
        (io.BytesIO(bytes(100)), 16000, "sample_rate 16000: beside the bytes of a file"),
        (["a.wav", "b.wav"], None, "a list of 2 paths; expected one; predict_files takes several"),
        (None, None, "sample_rate None: expected Hz"),
    ],
)
def test_what_is_no_audio_is_one_line(given: Any, rate: int | None, said: str) -> None:
    with pytest.raises(SerError) as caught:
        untrained_model().predict(given, rate)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_a_folder_names_what_it_passes_over(
    film: Path, log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(film.with_name("a.wav"), np.zeros(100), 16000)
    found, faults = audio_inputs([str(film.parent)])
    assert [one.path.name for one in found] == ["a.wav", "clip.mp4"] and not faults
    monkeypatch.setattr("ser.infer.inputs.can_be_read", lambda: False)
    found, faults = audio_inputs([str(film.parent)])
    assert [one.path.name for one in found] == ["a.wav"] and not faults
    assert log.find(r"passed over 1 files \(.mp4\); PyAV reads them: pip install av")


def test_without_pyav_a_film_names_the_remedy(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(SerError, match=r"clip\.mp4: soundfile does not read it; PyAV reads"):
        untrained_model().predict(film)
