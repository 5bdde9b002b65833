"""WAV files that were cut in copying."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser.audio.reading import audio_seconds
from ser.base.errors import SerError


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(16000, np.float32), 16000)
    return path


def test_a_cut_file_is_refused(wav: Path) -> None:
    assert audio_seconds(wav, "utt") == 1.0
    wav.write_bytes(wav.read_bytes()[:3000])
    with pytest.raises(SerError, match=r"a\.wav: 0\.09 s .* \(utt; 3000 bytes, .* 32044\)"):
        audio_seconds(wav, "utt")


@pytest.mark.parametrize("length", [0, 0xFFFFFFFF])
def test_a_stream_has_no_length_and_passes(wav: Path, length: int) -> None:
    content = wav.read_bytes()
    wav.write_bytes(content[:4] + length.to_bytes(4, "little") + content[8:])
    assert audio_seconds(wav, "utt") == pytest.approx(1.0)


def test_a_pad_byte_that_is_counted_and_not_written(tmp_path: Path) -> None:
    path = tmp_path / "odd.wav"
    soundfile.write(path, np.zeros(8001), 8000, subtype="PCM_U8")
    content = path.read_bytes()[: 44 + 8001]
    path.write_bytes(content[:4] + (len(content) + 1 - 8).to_bytes(4, "little") + content[8:])
    assert audio_seconds(path, "utt") == pytest.approx(1.0, abs=1e-3)


def test_a_pointer_of_git_lfs(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(SerError, match=r"a\.wav: a pointer of Git LFS; .*git lfs pull"):
        audio_seconds(path, "utt")
