"""Corpora that the tests of this folder share."""

from pathlib import Path

import pytest
import soundfile
from corpora import RAMP


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A second of ``RAMP``."""
    path = tmp_path / "long recording.wav"
    soundfile.write(path, RAMP, 16000)
    return path
