"""Audio inside an archive: ``wav.ark:1234``, as Kaldi's wav-copy and ESPnet's dumps have it.

ESPnet writes them through kaldiio, which also writes FLAC and whatever else soundfile knows.
"""

import re
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import kaldiio
import numpy as np
import soundfile

from ser.audio.reading import read_samples, require_finite, soundfile_reason
from ser.audio.truncation import is_counted
from ser.base.arrays import Floats
from ser.base.errors import SerError
from ser.base.files import parsing, regular_size

PLACE = re.compile(r"(?P<ark>.+):(?P<offset>\d+)\s*(\[(?P<range>.*)\])?", re.DOTALL)
RANGE = re.compile(r"\s*(\d+)\s*:\s*(\d+)\s*")
OF_KALDIIO = (b"AUDIO", b"fLaC")  # it would also unpickle objects and read matrices
REMEDY = (
    "expected WAV, or what kaldiio writes, at this byte of the archive; write the archive again"
)


@dataclass(frozen=True)
class ArkPlace:
    """Where audio stands in an archive.

    Attributes:
        source: The entry of ``wav.scp``, for messages.
        ark: The file.
        offset: In bytes.
        samples: The first and the last sample, both read, of a piece; None for all.
    """

    source: str
    ark: Path
    offset: int
    samples: tuple[int, int] | None

    def read(self, utt: str) -> tuple[Floats, int]:
        """Samples (N,) float32, +-1, the channels averaged, and their rate in Hz.

        Raises:
            SerError: No audio stands there, it was cut, or it is shorter than the piece.
        """
        with parsing(self.source, "no readable audio", REMEDY, utt):
            regular_size(self.ark)
            with self.ark.open("rb") as stream:
                stream.seek(self.offset)
                header = stream.read(8)
                if header.startswith(OF_KALDIIO):
                    stream.seek(self.offset)
                    rate, array = kaldiio.matio.read_kaldi(stream)
                    samples = array.astype(np.float32).reshape(len(array), -1)
                else:
                    samples, rate = _read_wav(stream, header, self.source, utt)
            require_finite(samples, self.source, utt)
            mono = samples.mean(axis=1)
            if self.samples:
                first, last = self.samples
                if not first <= last < len(mono):
                    raise ValueError(f"{len(mono)} samples, without those of the range")
                mono = mono[first : last + 1]
        return mono, int(rate)


def _read_wav(stream: BinaryIO, header: bytes, name: str, utt: str) -> tuple[Floats, int]:
    """The WAV file of which the first eight bytes were read: samples (N, channels), and Hz."""
    if not header.startswith(b"RIFF"):
        raise ValueError(f"{header[:5]!r} stands there")
    size = int.from_bytes(header[4:], "little")
    if not is_counted(size):
        raise ValueError("a WAV that does not say where it ends")
    content = stream.read(size)
    if len(content) < size:
        raise ValueError(f"{len(content)} of {size} bytes are left, it was cut")
    try:
        return read_samples(BytesIO(header + content), name, utt)
    except soundfile.SoundFileError as error:  # which names the memory that was read
        raise ValueError(soundfile_reason(error)) from error


def place_in_ark(source: str) -> ArkPlace | None:
    """The place that an entry of ``wav.scp`` means; None of one that means a file or a command.

    Raises:
        SerError: It has an invalid range.
    """
    match = PLACE.fullmatch(source)
    if match is None or Path(source).exists():
        return None
    if match["range"] is None:
        return ArkPlace(source, Path(match["ark"]), int(match["offset"]), None)
    numbers = RANGE.fullmatch(match["range"])
    if numbers is None:
        raise SerError(
            f"{source}: the range [{match['range']}]; expected [first:last], samples from 0 on, as "
            "kaldiio has it; correct wav.scp, or write a 'segments'"
        )
    samples = int(numbers[1]), int(numbers[2])
    return ArkPlace(source, Path(match["ark"]), int(match["offset"]), samples)
