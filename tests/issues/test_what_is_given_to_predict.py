"""A phone's .m4a, a video, the bytes of an upload, a list: predicted, or told what to do."""

import io
import os
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from corpora import plant_sound, plant_video
from tiny_audio import plant_files, untrained_model

from ser.base.errors import SerError
from ser.infer.inputs import audio_inputs


@pytest.fixture
def video(tmp_path: Path) -> Path:
    plant_video(tmp_path / "clip.mp4")
    return tmp_path / "clip.mp4"


def test_a_video_is_predicted_like_its_sound(video: Path) -> None:
    model = untrained_model()
    result = model.predict(video)
    assert result.label is not None and 0.9 < result.end < 1.1
    (windowed,) = model.predict_windows(video, 2, 2)
    assert windowed.posteriors == pytest.approx(result.posteriors)


def test_the_sound_of_a_video_has_a_rate_of_audio(tmp_path: Path) -> None:
    plant_sound(tmp_path / "a.mkv", "pcm_s16le", 100, {}, seconds=10)
    for read in (model_of_windows, untrained_model().predict):
        with pytest.raises(SerError, match=r"a\.mkv: 100 Hz .its sound.; expected 1000 to"):
            read(tmp_path / "a.mkv")


@pytest.mark.parametrize("kind", ["pipe", "folder", "nothing"])
def test_a_video_is_a_regular_file(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    with pytest.raises(SerError, match=r"a\.mp4: no (such|regular) file"):
        untrained_model().predict(path)


def model_of_windows(path: Path) -> None:
    list(untrained_model().predict_windows(path, 1, 1))


@pytest.mark.long
def test_a_long_video_needs_no_more_memory_than_its_windows(tmp_path: Path) -> None:
    plant_sound(tmp_path / "a.mkv", "pcm_s16le", 16000, {}, seconds=600)  # 38 MB as floats
    tracemalloc.start()
    model_of_windows(tmp_path / "a.mkv")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12e6


def test_other_paths_than_text_are_paths(tmp_path: Path) -> None:
    path = plant_files(tmp_path)[0]
    (entry,) = (entry for entry in os.scandir(tmp_path) if entry.name == path.name)
    assert untrained_model().predict(entry) == untrained_model().predict(path)  # type: ignore[arg-type]  # as users do


def test_bytes_and_open_files_are_the_file(video: Path, tmp_path: Path) -> None:
    model = untrained_model()
    for path in (*plant_files(tmp_path)[:3], video):
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
        (io.StringIO("text"), None, "cannot be read"),
        (["a.wav", "b.wav"], None, "a list of 2 paths; expected one; predict_files takes several"),
        (None, None, "sample_rate None: expected Hz"),
    ],
)
def test_what_is_no_audio_is_one_line(given: Any, rate: int | None, said: str) -> None:
    with pytest.raises(SerError) as caught:
        untrained_model().predict(given, rate)
    assert said in str(caught.value)


def test_a_closed_file_is_one_line(tmp_path: Path) -> None:
    with plant_files(tmp_path)[0].open("rb") as stream:
        pass
    with pytest.raises(SerError, match=r"cannot be read .*closed file.; expected a file that is"):
        untrained_model().predict(stream)


def test_one_path_is_no_list_of_them() -> None:
    with pytest.raises(SerError, match=r"'a\.wav': one path; expected several; predict takes one"):
        next(untrained_model().predict_files("a.wav"))


def test_a_folder_names_what_it_passes_over(
    video: Path, log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(video.with_name("a.wav"), np.zeros(100), 16000)
    found, faults = audio_inputs([str(video.parent)])
    assert [one.path.name for one in found] == ["a.wav", "clip.mp4"] and not faults
    monkeypatch.setattr("ser.infer.inputs.has_pyav", lambda: False)
    found, faults = audio_inputs([str(video.parent)])
    assert [one.path.name for one in found] == ["a.wav"] and not faults
    assert log.find(r"passed over 1 files \(.mp4\); PyAV reads them: pip install av")


def test_without_pyav_a_video_names_the_remedy(
    video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(SerError, match=r"clip\.mp4: soundfile does not read it, but PyAV does"):
        untrained_model().predict(video)
