"""Corpora that the tests of this folder share."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile
from corpora import RAMP

from ser.base.log import logger
from ser.corpus.synthetic import write_corpora


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


class Log(logging.Handler):
    """Keeps what was said."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def find(self, pattern: str) -> list[str]:
        """The lines that match."""
        return [line for line in self.lines if re.search(pattern, line)]


@pytest.fixture
def log() -> Iterator[Log]:
    """What is said to the user while a test runs."""
    handler, level = Log(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)
