"""Audio inside an archive: ``wav.ark:1234``, as Kaldi's wav-copy and ESPnet's dumps have it.

ESPnet writes them through kaldiio, which also writes FLAC and whatever else soundfile knows.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kaldiio
import numpy as np

from ser.base.errors import SerError
from ser.base.files import parsing, regular_size

PLACE = re.compile(r"(?P<ark>.+):(?P<offset>\d+)\s*(\[(?P<range>.*)\])?", re.DOTALL)
RANGE = re.compile(r"\s*(\d+)\s*:\s*(\d+)\s*")
# kaldiio would also unpickle objects and read matrices: what stands there must be audio.
AUDIO = (b"RIFF", b"AUDIO", b"fLaC")
HEADER_BYTES = 46  # of a WAV, as far as its coding
PCM, EXTENSIBLE = 1, 0xFFFE  # format tags; with the second the coding stands further on
UNKNOWN_SIZE = 0x7FFFFFFF  # and above: of writers that did not know it
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

    def read(self, utt: str) -> tuple[Any, int]:
        """Samples (N,) float32, +-1, the channels averaged, and their rate in Hz.

        Raises:
            SerError: No audio stands there, it was cut, or it is shorter than the piece.
        """
        with parsing(self.source, "no readable audio", REMEDY, utt):
            regular_size(self.ark)
            with self.ark.open("rb") as stream:
                stream.seek(self.offset)
                self._check(stream.read(HEADER_BYTES))
                stream.seek(self.offset)
                rate, array = kaldiio.matio.read_kaldi(stream)
            samples = _mono(array)
            if self.samples:
                first, last = self.samples
                if not first <= last < len(samples):
                    raise ValueError(f"{len(samples)} samples, without those of the range")
                samples = samples[first : last + 1]
        return samples, int(rate)

    def _check(self, header: bytes) -> None:
        if not header.startswith(AUDIO):
            raise ValueError(f"{header[:5]!r} stands there")
        tag, further = (int.from_bytes(header[at : at + 2], "little") for at in (20, 44))
        tag = further if tag == EXTENSIBLE else tag
        if header.startswith(b"RIFF") and header[12:16] == b"fmt " and tag != PCM:
            raise ValueError(f"a WAV of another coding than PCM (format tag {tag:#06x})")
        size = int.from_bytes(header[4:8], "little") + 8
        left = self.ark.stat().st_size - self.offset
        if header.startswith(b"RIFF") and left < size < UNKNOWN_SIZE:
            raise ValueError(f"{left} bytes of {size} are left, it was cut")


def _mono(array: Any) -> Any:
    """What kaldiio read as float32, +-1; whole numbers are those of a WAV file."""
    if array.dtype == np.uint8:
        array = (array - np.float32(128)) / np.float32(128)
    elif array.dtype == np.int16:
        array = array / np.float32(32768)
    return array.astype(np.float32).reshape(len(array), -1).mean(axis=1)


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
