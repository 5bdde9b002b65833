"""WAV files that were cut in copying."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser.base.errors import SerError
from ser.kaldi.audio import audio_seconds


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(16000, np.float32), 16000)
    return path


def test_a_cut_file_is_refused(wav: Path) -> None:
    assert audio_seconds(wav, "utt") == 1.0
    wav.write_bytes(wav.read_bytes()[:3000])
    with pytest.raises(SerError, match=r"a\.wav: 3000 bytes \(utt\); its header says 32044"):
        audio_seconds(wav, "utt")


@pytest.mark.parametrize("length", [0, 0xFFFFFFFF])
def test_a_stream_has_no_length_and_passes(wav: Path, length: int) -> None:
    content = wav.read_bytes()
    wav.write_bytes(content[:4] + length.to_bytes(4, "little") + content[8:])
    assert audio_seconds(wav, "utt") == pytest.approx(1.0)
