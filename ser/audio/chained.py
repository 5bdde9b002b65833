"""Audio that goes on where decoders stop: files joined end to end, stale headers."""

import re
from typing import BinaryIO, Literal

from ser.audio.mp3 import ID3, read_frames
from ser.audio.truncation import LOST_SECONDS, Header, bytes_of
from ser.base.errors import SerError

FIRST_BLOCK = b"fLaC\x00\x00\x00\x22"  # of FLAC, with the length of what follows
LAST_PAGE, FIRST_PAGE = b"OggS\x00\x04", b"OggS\x00\x02"
BLOCK_BYTES = 1 << 20
CHUNKED: dict[str, Literal["little", "big"]] = {"WAV": "little", "WAVEX": "little", "AIFF": "big"}
CHUNK_ID = re.compile(rb"[\x20-\x7e]{4}")


def require_single(stream: BinaryIO, header: Header, name: str, utt: str) -> None:
    """Checks that nothing follows the audio that a decoder reads.

    Raises:
        SerError: More audio follows, which would be lost.
    """
    if header.format == "FLAC":
        first = _find(stream, FIRST_BLOCK, 0)
        more = first is not None and _find(stream, FIRST_BLOCK, first + 1) is not None
    elif header.format == "OGG":
        end = _find(stream, LAST_PAGE, 0)
        more = end is not None and _find(stream, FIRST_PAGE, end) is not None
    elif header.format == "MP3":
        frames = read_frames(stream)
        more = frames is not None and frames.seconds_after > LOST_SECONDS
    elif header.format in CHUNKED:
        more = _follows_the_chunks(stream, header)
    else:
        more = _begins_again(stream)
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


def _begins_again(stream: BinaryIO) -> bool:
    """Whether a file's first word stands again where its header has its end."""
    size, counted = bytes_of(stream)
    stream.seek(0)
    first = stream.read(4)
    stream.seek(counted)
    return 0 < counted < size and stream.read(4) == first


def _follows_the_chunks(stream: BinaryIO, header: Header) -> bool:
    """Whether more than a moment of audio, not all zero, follows the chunks of a file."""
    size = stream.seek(0, 2)
    order = CHUNKED[header.format]
    stream.seek(4)
    counted = 8 + int.from_bytes(stream.read(4), order)
    at, data_bytes = 12, 0
    while at < size:
        stream.seek(at)
        head = stream.read(8)
        length = int.from_bytes(head[4:], order)
        if not CHUNK_ID.fullmatch(head[:4]) or at + 8 + length > size:
            break
        data_bytes = length if head[:4] in (b"data", b"SSND") else data_bytes
        at += 8 + length + length % 2
    at = max(at, min(size, counted))  # chunks of another form are still no audio
    seconds = header.frames / header.samplerate
    if not data_bytes or (size - at) * seconds <= LOST_SECONDS * data_bytes:
        return False
    stream.seek(at)
    after = stream.read(BLOCK_BYTES)
    return any(after) and not after.startswith(ID3)
