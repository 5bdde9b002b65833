"""Audio on standard input: raw 16-bit PCM, or a WAV stream, whose header has rate and channels."""

import re
import struct
from dataclasses import dataclass

import numpy as np

from ser.audio.reading import RATES_HZ
from ser.audio.truncation import is_counted
from ser.base.errors import SerError
from ser.infer.arrays import MAX_CHANNELS
from ser.infer.recordings import Readable

DEFAULT_RATE_HZ = 16000
SAMPLE_BYTES = 2
HEAD_BYTES = 12  # of a RIFF file before its chunks
PCM, EXTENSIBLE = 1, 0xFFFE  # formats of WAV
FORMAT_BYTES = 4096  # most of a chunk before the samples that is held in memory
# What other files begin with, and where.
SIGNATURES = {
    "FLAC": (0, b"fLaC"),
    "Ogg": (0, b"OggS"),
    "MP3": (0, b"ID3"),
    "AIFF": (0, b"FORM"),
    "AU": (0, b".snd"),
    "CAF": (0, b"caff"),
    "WAV of 64 bits": (0, b"RF64"),
    "W64": (0, b"riff"),
    "VOC": (0, b"Creative Voi"),
    "big-endian WAV": (0, b"RIFX"),
    "NIST SPHERE": (0, b"NIST_1A"),
    "WebM or Matroska": (0, b"\x1a\x45\xdf\xa3"),
    "MP4 or M4A": (4, b"ftyp"),
}
FRAMES = {  # without a tag in front
    "MP3": (b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"),
    "AAC": (b"\xff\xf1", b"\xff\xf9"),
}
RIFF = re.compile(rb"RIFF....([A-Za-z0-9 ]{4})", re.DOTALL)  # of another form than WAVE: AVI
TEXT = re.compile(rb"[\t\n\r\x20-\x7e]{12}")  # as samples it would be a loud tone
REMEDY = "expected 16-bit PCM, raw or as WAV; convert it: ffmpeg -i FILE -ac 1 -ar 16000 -f wav -"


@dataclass(frozen=True)
class Pcm:
    """A stream of raw 16-bit little-endian mono PCM.

    Attributes:
        source: The stream, after any header.
        rate_hz: Samples a second.
    """

    source: Readable
    rate_hz: int

    def require_end(self) -> None:
        """Checks, after the last read, that all came that a header announced.

        Raises:
            SerError: The stream ended before.
        """
        left = self.source.num_left if isinstance(self.source, _Mono) else None
        if left is not None and left > 1:  # some writers count a byte that fills up, without it
            raise SerError(
                f"-: a WAV stream that ends {left} bytes before the end that its header announces; "
                "expected all of it; see what ended the program that writes it"
            )


class _Rest:
    """A stream of which the first bytes have been read already."""

    def __init__(self, head: bytes, source: Readable) -> None:
        self._head, self._source = head, source

    def read(self, size: int, /) -> bytes:
        taken, self._head = self._head[:size], self._head[size:]
        if len(taken) < size:
            taken += self._source.read(size - len(taken))
        return taken


class _Mono:
    """The mean of the channels of a stream; what follows its samples is left out."""

    def __init__(self, source: Readable, num_channels: int, num_bytes: int | None) -> None:
        self._source, self._num_channels, self.num_left = source, num_channels, num_bytes

    def read(self, size: int, /) -> bytes:
        frames = size // SAMPLE_BYTES
        wanted = frames * SAMPLE_BYTES * self._num_channels
        if self.num_left is not None:
            wanted = min(wanted, self.num_left)
        data = self._source.read(wanted) if wanted else b""
        if self.num_left is not None:
            self.num_left -= len(data)
        if self._num_channels == 1:
            return data
        whole = len(data) - len(data) % (SAMPLE_BYTES * self._num_channels)
        samples = np.frombuffer(data[:whole], "<i2").reshape(-1, self._num_channels)
        mono: bytes = np.rint(samples.mean(axis=1)).astype("<i2").tobytes()
        return mono


def read_pcm(source: Readable, rate_hz: int | None) -> Pcm:
    """The samples of a stream, by the header that it begins with, if any.

    Args:
        source: The stream.
        rate_hz: Of raw PCM (16 kHz without); None where nothing was said.

    Raises:
        SerError: The stream is of another format, its header is cut or contradicts ``rate_hz``.
    """
    head = source.read(HEAD_BYTES)
    if not (head.startswith(b"RIFF") and head[8:] == b"WAVE"):
        _refuse_others(head, guess=rate_hz is None)
        rate = DEFAULT_RATE_HZ if rate_hz is None else rate_hz
        return Pcm(_Rest(head, source), rate)
    layout: tuple[int, ...] | None = None
    while True:
        name, size = struct.unpack("<4sI", _exactly(source, 8))
        if name == b"data":
            break
        body = _exactly(source, min(size + size % 2, FORMAT_BYTES))
        if size > FORMAT_BYTES:
            raise SerError(f"-: a WAV stream with {size} bytes before its samples; {REMEDY}")
        if name == b"fmt ":
            layout = struct.unpack("<HHIIHH", body[:16].ljust(16, b"\0"))
            if layout[0] == EXTENSIBLE:
                layout = (int.from_bytes(body[24:26], "little"), *layout[1:])
    if layout is None:
        raise SerError(f"-: a WAV stream without a format before its samples; {REMEDY}")
    kind, num_channels, rate, _, _, bits = layout
    is_known = kind == PCM and bits == 8 * SAMPLE_BYTES
    if not (is_known and 1 <= num_channels <= MAX_CHANNELS and RATES_HZ[0] <= rate <= RATES_HZ[1]):
        raise SerError(
            f"-: a WAV stream of format {kind}, {bits} bits, {num_channels} channels, {rate} Hz "
            f"(1 to {MAX_CHANNELS} channels, {RATES_HZ[0]} to {RATES_HZ[1]} Hz are read); {REMEDY}"
        )
    if rate_hz is not None and rate_hz != rate:
        raise SerError(f"--rate {rate_hz}: the WAV stream says {rate} Hz; leave --rate out")
    # Who records live knows no length.
    return Pcm(_Mono(source, num_channels, size if is_counted(size) else None), rate)


def _exactly(source: Readable, size: int) -> bytes:
    data = source.read(size)
    if len(data) < size:
        raise SerError("-: a WAV stream that ends within its header; expected samples after it")
    return data


def _refuse_others(head: bytes, guess: bool) -> None:
    """Refuses a stream by its first bytes; with ``guess`` also by those that PCM may begin with."""
    form = RIFF.fullmatch(head)
    found = [f"RIFF {form[1].decode().strip()}"] if form else []
    found += [name for name, (at, mark) in SIGNATURES.items() if head[at : at + len(mark)] == mark]
    if guess:
        kinds = [kind for kind, marks in FRAMES.items() if head[:2] in marks]
        kinds += ["text"] if TEXT.fullmatch(head) else []
        found += [f"{kind} (or raw PCM, if --rate says so)" for kind in kinds]
    if found:
        raise SerError(f"-: {found[0]} on standard input; {REMEDY}")
