"""Audio inside an archive."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser.audio.audio_ark import place_in_ark
from ser.audio.reading import read_mono
from ser.base.errors import SerError

SAMPLES = 0.3 * np.sin(np.arange(16000) / 20)


def in_ark(folder: Path, subtype: str, file_format: str = "WAV") -> str:
    soundfile.write(folder / "a.wav", SAMPLES, 16000, subtype, format=file_format)
    (folder / "wav.ark").write_bytes(b"a " + (folder / "a.wav").read_bytes())
    return f"{folder}/wav.ark:2"


@pytest.mark.parametrize("file_format", ["WAV", "WAVEX"])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "ULAW"])
def test_any_wav_is_read(tmp_path: Path, file_format: str, subtype: str) -> None:
    """As the file itself would be, whatever follows in the archive."""
    source = in_ark(tmp_path, subtype, file_format)
    ark = tmp_path / "wav.ark"
    ark.write_bytes(ark.read_bytes() + b"b " + (tmp_path / "a.wav").read_bytes())
    place = place_in_ark(source)
    assert place is not None
    samples, rate = place.read("a")
    assert rate == 16000
    assert np.array_equal(samples, read_mono(tmp_path / "a.wav", "a")[0])


def test_flac_is_read(tmp_path: Path) -> None:
    place = place_in_ark(in_ark(tmp_path, "PCM_16", "FLAC"))
    assert place is not None
    assert np.abs(place.read("a")[0] - SAMPLES).max() < 1e-4


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (0xFFFFFFFF, "a WAV that does not say where it ends"),
        (0x7FFFF02C, "a WAV that does not say where it ends"),
        (0, "a WAV that does not say where it ends"),
        (0x7F000000, r"\d+ of \d+ bytes are left, it was cut"),
    ],
)
def test_a_size_that_is_not_there(tmp_path: Path, size: int, said: str) -> None:
    place = place_in_ark(in_ark(tmp_path, "PCM_16"))
    assert place is not None
    content = bytearray(place.ark.read_bytes())
    content[6:10] = size.to_bytes(4, "little")
    place.ark.write_bytes(content)
    with pytest.raises(SerError, match=said):
        place.read("a")
