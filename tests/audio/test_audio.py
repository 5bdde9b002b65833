"""Audio of any format, rate and channel count; what cannot be used is named in one line."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from ser.audio import reading
from ser.audio.reading import audio_seconds, is_audio, measure_durations, read_audio
from ser.base.errors import SerError

RATE_HZ = 16000
UTT = "s1-a"


def tone(rate_hz: int, seconds: float = 0.5, hz: float = 440.0) -> npt.NDArray[np.float64]:
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(round(rate_hz * seconds)) / rate_hz)


@pytest.mark.parametrize(
    ("name", "options", "tolerance"),
    [
        ("a.wav", {"subtype": "PCM_16"}, 1),
        ("a.wav", {"subtype": "PCM_24"}, 1),
        ("a.wav", {"subtype": "FLOAT"}, 0.01),
        ("a.flac", {}, 1),
        ("a.ogg", {}, 2000),  # lossy
        ("a.opus", {"format": "OGG", "subtype": "OPUS"}, 4000),
    ],
)
def test_formats(tmp_path: Path, name: str, options: dict[str, str], tolerance: float) -> None:
    path = tmp_path / name
    soundfile.write(path, tone(RATE_HZ), RATE_HZ, **options)
    samples = read_audio(path, UTT, RATE_HZ)
    assert samples.dtype == np.float32
    assert samples.shape == (8000,)
    middle = slice(800, -800)
    assert np.abs(samples - 32768 * tone(RATE_HZ))[middle].max() < tolerance
    assert audio_seconds(path, UTT) == pytest.approx(0.5, abs=0.02)


def test_sixteen_bits_come_back_exactly(tmp_path: Path) -> None:
    integers = np.array([0, 1, -1, 32767, -32768, 12345], np.int16)
    soundfile.write(tmp_path / "a.wav", integers, RATE_HZ, subtype="PCM_16")
    assert read_audio(tmp_path / "a.wav", UTT, RATE_HZ).tolist() == integers.tolist()


@pytest.mark.parametrize("rate_hz", [8000, 11025, 22050, 44100, 48000])
def test_other_rates_are_resampled(tmp_path: Path, rate_hz: int) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(rate_hz), rate_hz, subtype="FLOAT")
    samples = read_audio(path, UTT, RATE_HZ)
    assert abs(len(samples) - 8000) <= 1
    middle = slice(800, 7200)
    assert np.abs(samples[middle] - 32768 * tone(RATE_HZ)[middle]).max() < 33  # a thousandth
    assert audio_seconds(path, UTT) == pytest.approx(0.5, abs=1e-4)


def test_what_lies_above_half_the_rate_is_filtered(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(48000, hz=12000.0), 48000, subtype="FLOAT")
    assert np.abs(read_audio(path, UTT, RATE_HZ)[800:-800]).max() < 33


def test_what_soundfile_reads_is_audio_whatever_its_name(tmp_path: Path) -> None:
    for name in ("a.aif", "a.SPH", "a", "a.1"):
        with (tmp_path / name).open("wb") as stream:
            soundfile.write(stream, tone(RATE_HZ), RATE_HZ, format="AIFF")
        assert is_audio(tmp_path / name)
        assert audio_seconds(tmp_path / name, UTT) == 0.5
    for name, fault in (
        ("a.mp4", "not readable as audio"),
        ("a.raw", "samples without a header"),
        ("b", "not readable as audio"),
    ):
        (tmp_path / name).write_bytes(bytes(100))
        assert not is_audio(tmp_path / name)
        with pytest.raises(SerError, match=rf"{name}: {fault} \({UTT}"):
            audio_seconds(tmp_path / name, UTT)


@pytest.mark.parametrize("num_channels", [2, 3])
def test_channels_are_averaged(tmp_path: Path, num_channels: int) -> None:
    path = tmp_path / "a.wav"
    channels = np.stack([tone(RATE_HZ), *[np.zeros(8000)] * (num_channels - 1)], axis=1)
    soundfile.write(path, channels, RATE_HZ, subtype="FLOAT")
    expected = 32768 * tone(RATE_HZ) / num_channels
    assert np.allclose(read_audio(path, UTT, RATE_HZ), expected, atol=0.01)


def plant_fault(path: Path, fault: str) -> None:
    samples = tone(RATE_HZ)
    match fault:
        case "empty":
            samples = samples[:0]
        case "nan":
            samples[[3, 5]] = np.nan
        case "inf":
            samples[7] = -np.inf
    if fault == "text":
        path.write_text("no audio\n" * 100)
    elif fault == "no bytes":
        path.touch()
    elif fault == "folder":
        path.mkdir()
    elif fault == "loop":
        path.symlink_to(path)
    elif fault != "missing":
        soundfile.write(path, samples, RATE_HZ, format="WAV", subtype="FLOAT")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("missing", "no such file (s1-a); expected audio"),
        ("text", "not readable as audio (s1-a; "),
        ("no bytes", "not readable as audio (s1-a; "),
        ("folder", "no regular file (s1-a); expected an audio file"),
        ("loop", "Too many levels of symbolic links (s1-a); expected audio"),
        ("empty", "0 samples (s1-a); expected audio"),
        ("nan", "2 of 8000 samples are not finite (s1-a); expected numbers"),
        ("inf", "1 of 8000 samples are not finite (s1-a); expected numbers"),
    ],
)
def test_faults_are_named_with_file_and_utterance(tmp_path: Path, fault: str, said: str) -> None:
    path = tmp_path / "a.wav"
    plant_fault(path, fault)
    with pytest.raises(SerError) as error:
        read_audio(path, UTT, RATE_HZ)
    assert str(error.value).startswith(f"{path}: {said}")


def test_a_name_that_is_no_utf8_is_read(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path / "a") + b"\xff.wav"))
    soundfile.write(os.fsencode(path), tone(RATE_HZ), RATE_HZ)
    assert audio_seconds(path, UTT) == 0.5
    assert len(read_audio(path, UTT, RATE_HZ)) == 8000


def test_a_missing_permission_is_called_so(unprivileged: Path) -> None:
    closed, inside = unprivileged / "closed.wav", unprivileged / "folder" / "a.wav"
    inside.parent.mkdir()
    for path in (closed, inside):
        soundfile.write(path, tone(RATE_HZ), RATE_HZ)
    closed.chmod(0)
    inside.parent.chmod(0)
    for path in (closed, inside):
        for read in (lambda p: read_audio(p, UTT, RATE_HZ), lambda p: audio_seconds(p, UTT)):
            with pytest.raises(SerError, match=rf"{path}: no permission to read it \({UTT}\)"):
                read(path)


def test_durations_by_the_headers(
    tmp_path: Path, log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    wavs = {}
    for number, seconds in enumerate((0.25, 1.0, 0.5)):
        wavs[f"s1-{number}"] = tmp_path / f"{number}.wav"
        soundfile.write(wavs[f"s1-{number}"], tone(RATE_HZ, seconds), RATE_HZ)
    durations = measure_durations(wavs)
    assert durations == {"s1-0": "0.2500", "s1-1": "1.0000", "s1-2": "0.5000"}
    assert not log.find("warning: ")
    monkeypatch.setattr(reading, "LONG_SECONDS", 0.4)
    measure_durations(wavs)
    (said,) = log.find("warning: ")
    assert said.startswith("warning: 2 utterances longer than 0.4 s, s1-1 the longest with 1.0000 ")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("missing", "no such file (s1-b)"),
        ("text", "not readable as audio (s1-b; "),
        ("no bytes", "not readable as audio (s1-b; "),
        ("empty", "holds 0.0000 s of audio (s1-b); expected more than 0"),
    ],
)
def test_durations_name_the_faulty_one(tmp_path: Path, fault: str, said: str) -> None:
    soundfile.write(tmp_path / "a.wav", tone(RATE_HZ), RATE_HZ)
    plant_fault(tmp_path / "b.wav", fault)
    with pytest.raises(SerError) as error:
        measure_durations({"s1-a": tmp_path / "a.wav", "s1-b": tmp_path / "b.wav"})
    assert str(error.value).startswith(f"{tmp_path / 'b.wav'}: {said}")
