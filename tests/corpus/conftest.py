"""Corpora that the tests of this folder share."""

from pathlib import Path

import pytest
import soundfile
from corpora import RAMP

from ser.corpus.synthetic.corpus import write_corpora


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generated corpora, small: ``IEMOCAP_full_release`` and ``LibriSpeech``. Read only."""
    root = tmp_path_factory.mktemp("generated") / "corpora"
    write_corpora(root, num_emotion_turns=80, num_read_sentences=60)
    return root


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A second of ``RAMP``."""
    path = tmp_path / "long recording.wav"
    soundfile.write(path, RAMP, 16000)
    return path
