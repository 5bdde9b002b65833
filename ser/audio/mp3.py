"""How long the MPEG layer III audio of a file is, by its frames: its header may not say it.

libsndfile takes an MP3 file without a Xing header to be as long as its first frame's bit rate makes
it, and reads no further: of a variable bit rate that is another length.
"""

import re
from dataclasses import dataclass
from typing import BinaryIO

ID3, ID3V1 = b"ID3", b"TAG"
SYNC = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb]")  # of layer III, of all versions
ID3_HEADER_BYTES = 10
HEADER_BYTES = 4
XING = (b"Xing", b"Info")
XING_PLACES = range(13, 41)  # in a frame, by its version, channels and checksum
XING_BYTES = 60  # of a frame, its header among them
HAS_FRAMES, HAS_BYTES = 1, 2  # flags of a Xing header
TAG_BYTES = 128  # of ID3v1 at the end, which some count and others take away
MPEG_1, RESERVED = 3, 1
LAYER_3 = 1
RATES_HZ = (44100, 48000, 32000)  # of MPEG 1; halved for MPEG 2, and again for 2.5
HALVINGS = {3: 0, 2: 1, 0: 2}
KBITS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
KBITS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)


@dataclass(frozen=True)
class Frames:
    """What the frames of a file say.

    Attributes:
        seconds: How long it is; None where its Xing header tells it, and libsndfile reads that.
        cut: Whether bytes are missing at its end.
        seconds_after: Of frames beyond those that a Xing header counts, as in joined files.
    """

    seconds: float | None
    cut: bool
    seconds_after: float = 0.0


def read_frames(stream: BinaryIO) -> Frames | None:
    """Reads a Xing header, or without one all frames; None where no frame of layer III stands."""
    stream.seek(0)
    content = stream.read()
    start = _next_frame(content, 0)
    if start == len(content):
        return None
    seconds, cut = _walk(content, start)
    counted = _counted(content[start : start + XING_BYTES])
    frame = _frame(content[start : start + HEADER_BYTES])
    if counted is None or frame is None:
        return Frames(seconds, cut)
    num_frames, num_bytes = counted
    return Frames(
        None, len(content) - start + TAG_BYTES < num_bytes, seconds - num_frames * frame[1]
    )


def _counted(first: bytes) -> tuple[int, int] | None:
    """Frames and bytes (or 0) that the Xing header of a first frame counts; None without one."""
    for mark in XING:
        place = first.find(mark, XING_PLACES.start, XING_PLACES.stop)
        if place > 0:
            flags = int.from_bytes(first[place + 4 : place + 8])
            if not flags & HAS_FRAMES:
                return None
            num_bytes = int.from_bytes(first[place + 12 : place + 16]) if flags & HAS_BYTES else 0
            return int.from_bytes(first[place + 8 : place + 12]), num_bytes
    return None


def _walk(content: bytes, start: int) -> tuple[float, bool]:
    """Seconds of all frames from a place on, and whether the last one is cut.

    As in decoders, tags between them and what is no frame are passed over.
    """
    at, seconds = _next_frame(content, start), 0.0
    while (frame := _frame(content[at : at + HEADER_BYTES])) is not None:
        length, frame_seconds = frame
        if at + length > len(content):
            return seconds, True
        at, seconds = _next_frame(content, at + length), seconds + frame_seconds
    return seconds, False


def _next_frame(content: bytes, at: int) -> int:
    """Where a frame begins from a place on: there, behind tags, or where two of a kind follow."""
    while content.startswith((ID3, ID3V1), at):
        tag = content[at : at + ID3_HEADER_BYTES]
        at += _id3_bytes(tag) if tag.startswith(ID3) else TAG_BYTES
    found = at
    while found < len(content):
        header = content[found : found + HEADER_BYTES]
        frame = _frame(header)
        if frame is not None:
            after = found + frame[0]
            following = content[after : after + HEADER_BYTES]
            alike = _frame(following) is not None and _kind(following) == _kind(header)
            if found == at or alike or after == len(content):
                return found
        following_sync = SYNC.search(content, found + 1)
        found = following_sync.start() if following_sync else len(content)
    return len(content)


def _id3_bytes(header: bytes) -> int:
    """Of the ID3v2 tag that begins so."""
    size = 0
    for byte in header[6:]:  # of seven bits each
        size = size << 7 | byte & 0x7F
    return ID3_HEADER_BYTES + size


def _kind(header: bytes) -> int:
    """Version, layer and rate."""
    return int.from_bytes(header) & 0xFFFE0C00


def _frame(header: bytes) -> tuple[int, float] | None:
    """Bytes and seconds of the frame that begins here."""
    word = int.from_bytes(header[:HEADER_BYTES])
    version, layer, kbits, rate = word >> 19 & 3, word >> 17 & 3, word >> 12 & 15, word >> 10 & 3
    broken = word >> 21 != 0x7FF or version == RESERVED or layer != LAYER_3
    if broken or kbits in (0, 15) or rate == len(RATES_HZ):
        return None
    rate_hz = RATES_HZ[rate] >> HALVINGS[version]
    samples, table = (1152, KBITS_1) if version == MPEG_1 else (576, KBITS_2)
    padding = word >> 9 & 1
    return samples // 8 * 1000 * table[kbits] // rate_hz + padding, samples / rate_hz
