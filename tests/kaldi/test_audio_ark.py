"""Audio inside an archive."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser.base.errors import SerError
from ser.kaldi.audio_ark import place_in_ark

SAMPLES = 0.3 * np.sin(np.arange(16000) / 20)


def in_ark(folder: Path, subtype: str, file_format: str = "WAV") -> str:
    soundfile.write(folder / "a.wav", SAMPLES, 16000, subtype, format=file_format)
    (folder / "wav.ark").write_bytes(b"a " + (folder / "a.wav").read_bytes())
    return f"{folder}/wav.ark:2"


@pytest.mark.parametrize("file_format", ["WAV", "WAVEX"])
def test_pcm_is_read(tmp_path: Path, file_format: str) -> None:
    place = place_in_ark(in_ark(tmp_path, "PCM_16", file_format))
    assert place is not None
    samples, rate = place.read("a")
    assert rate == 16000
    assert np.abs(samples - SAMPLES).max() < 1e-4


@pytest.mark.parametrize("subtype", ["ULAW", "ALAW", "FLOAT"])
def test_other_codings_are_not_taken_for_pcm(tmp_path: Path, subtype: str) -> None:
    place = place_in_ark(in_ark(tmp_path, subtype))
    assert place is not None
    with pytest.raises(SerError, match=r"wav\.ark:2: .*of another coding than PCM .format tag 0x"):
        place.read("a")
