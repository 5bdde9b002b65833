"""The speech that the rows are measured on: real where there is some, generated elsewhere."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 16000


def shared_data() -> Path | None:
    """``shared/data`` beside this checkout or further up, with real speech; None without one."""
    folders = (parent / "shared" / "data" for parent in Path(__file__).parents)
    return next((folder for folder in folders if folder.is_dir()), None)


def speech_files(corpus: str, pattern: str, count: int, scratch: Path) -> list[Path]:
    """Audio files spread over a corpus; without it, as many generated ones in ``scratch``."""
    shared = shared_data()
    found = sorted((shared / corpus).rglob(pattern)) if shared else []
    if found:
        return found[:: max(1, len(found) // count)][:count]
    random = np.random.default_rng(0)
    made = []
    for number, seconds in enumerate(generated_seconds(corpus)[:count]):
        path = scratch / f"{corpus}{number:04}.flac"
        soundfile.write(path, random.normal(scale=0.05, size=round(seconds * RATE_HZ)), RATE_HZ)
        made.append(path)
    return made


def speech_num_frames(corpus: str) -> list[int]:
    """Feature frames of each utterance of ``shared/data/lengths/<corpus>_seconds.txt``."""
    shared = shared_data()
    path = shared / "lengths" / f"{corpus}_seconds.txt" if shared else None
    if path and path.exists():
        seconds: Sequence[float] = [float(line) for line in path.read_text().split()]
    else:
        seconds = generated_seconds(corpus)
    return [1 + (int(s * RATE_HZ) - 400) // 160 for s in seconds]


def generated_seconds(corpus: str) -> list[float]:
    """Lengths like those of the corpus: read speech is mostly as long as its segments may be."""
    random = np.random.default_rng(0)
    if "librispeech" in corpus.lower():
        return (17 * random.beta(4, 1.3, size=1519)).clip(min=1.5).tolist()
    return (4.5 * random.lognormal(-0.2, 0.6, size=5531)).clip(0.6, 34).tolist()
