"""Audio that goes on where decoders stop: files joined end to end, stale headers."""

from typing import BinaryIO

from ser.audio.mp3 import goes_on
from ser.audio.truncation import LOST_SECONDS, Header, bytes_of
from ser.base.errors import SerError

FIRST_BLOCK = b"fLaC\x00\x00\x00\x22"  # of FLAC, with the length of what follows
LAST_PAGE, FIRST_PAGE = b"OggS\x00\x04", b"OggS\x00\x02"
BLOCK_BYTES = 1 << 20


def require_single(stream: BinaryIO, header: Header, name: str, utt: str) -> None:
    """Checks that nothing follows the audio that a decoder reads.

    Raises:
        SerError: More audio follows, which would be lost.
    """
    if header.format == "FLAC":
        more = _find(stream, FIRST_BLOCK, len(FIRST_BLOCK)) is not None
    elif header.format == "OGG":
        end = _find(stream, LAST_PAGE, 0)
        more = end is not None and _find(stream, FIRST_PAGE, end) is not None
    elif header.format == "MP3":
        more = goes_on(stream)
    else:
        more = _exceeds(stream, header)
    if more:
        raise SerError(
            f"{name}: more audio after the {header.frames / header.samplerate:.2f} s that are "
            f"decoded ({utt}); expected one recording with a header of its whole length; write it "
            "anew with a program that reads it all"
        )


def _find(stream: BinaryIO, mark: bytes, start: int) -> int | None:
    """Where a mark stands next, from a place on."""
    stream.seek(start)
    place, tail = start, b""
    while block := stream.read(BLOCK_BYTES):
        found = (tail + block).find(mark)
        if found >= 0:
            return place - len(tail) + found
        place += len(block)
        tail = block[-len(mark) + 1 :]
    return None


def _exceeds(stream: BinaryIO, header: Header) -> bool:
    """Whether more than a moment of audio, not all zero, follows the bytes that a header counts."""
    size, expected = bytes_of(stream)
    seconds = header.frames / header.samplerate
    if not expected or not seconds or (size - expected) * seconds <= LOST_SECONDS * expected:
        return False
    stream.seek(expected)
    return any(stream.read(BLOCK_BYTES))
