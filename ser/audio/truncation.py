"""Whether audio goes on to the end that its file announces, or was cut on its way here.

Compared are bytes with the header's number of them (WAV, AIFF, AU, CAF, W64, RF64, NIST SPHERE, MP3
with a Xing header), the last page or frame with a whole one (Ogg, MP3), and the samples that are
decoded with the header's. Other formats are not read: libsndfile shortens their length to what is
there. Not seen is a cut between two frames of an MP3 file without a Xing header: nothing in it says
how long it is.
"""

import contextlib
import math
import re
from typing import BinaryIO, Literal, Protocol

import soundfile

from ser.audio.mp3 import read_frames
from ser.base.errors import SerError

LOST_SECONDS = 0.1  # that an encoder's delay and padding may add to what is announced
UNKNOWN_FRAMES = 2**62  # and more: libsndfile's length where it is unknown
UNCOUNTED, NEARLY = 2**32, 2**13
LAST_PAGE_BYTES = 1 << 17  # more than two pages of Ogg
# libsndfile's formats of which a cut is seen.
FORMATS = frozenset("AIFF AU CAF FLAC HTK MP3 NIST OGG RF64 SDS SVX W64 WAV WAVEX".split())
SPHERE_FACTORS = {b"sample_count", b"channel_count", b"sample_n_bytes"}
NO_LAST_PAGE = "its last page is missing"
CAF_HEADER_BYTES, CAF_CHUNK_HEADER_BYTES = 8, 12
PAGE, PAGE_HEADER_BYTES, END_OF_STREAM = b"OggS", 27, 4


class TruncatedError(SerError):
    """Audio that is truncated."""


class Header(Protocol):
    """What ``soundfile.info`` and an open ``SoundFile`` have in common."""

    frames: int  # samples of a channel
    samplerate: int  # Hz
    format: str  # "WAV", "MP3", ...


def truncated_error(
    name: str, utt: str, decoded: float, announced: float | None, why: str = ""
) -> TruncatedError:
    """The error for a truncated file: its seconds, those announced, and how that is known."""
    of = f"of {announced:.2f} s announced" if announced else "and its end is missing"
    return TruncatedError(
        f"{name}: {decoded:.2f} s decoded {of} ({utt}{why and f'; {why}'}); the file is truncated "
        "or damaged; copy it again, or remove it"
    )


def without_length(name: str, utt: str) -> SerError:
    """The error for a stream of FLAC, whose end libsndfile cannot distinguish from damage."""
    return SerError(
        f"{name}: no length in its header ({utt}); expected one; write it with ffmpeg -i OLD NEW"
    )


def seconds_to_end(stream: BinaryIO, header: Header, name: str, utt: str) -> float:
    """The length that a file announces, once its last bytes are there.

    Raises:
        TruncatedError: They are not.
        SerError: It announces none, and it cannot be found from its samples.
    """
    if header.format not in FORMATS:
        raise SerError(
            f"{name}: {header.format} ({utt}), of which it cannot be seen whether the file is "
            "whole; expected WAV, FLAC or another usual format; convert it to WAV"
        )
    if header.frames >= UNKNOWN_FRAMES:
        raise without_length(name, utt)
    told = header.frames / header.samplerate
    if header.format == "OGG" and lacks_last_page(stream):
        raise truncated_error(name, utt, decoded_seconds(stream), None, NO_LAST_PAGE)
    size, expected = bytes_of(stream)
    # Some writers count the byte that fills up an odd number of them, and do not write it.
    if size < expected - 1:
        decoded = decoded_seconds(stream)
        reason = f"{size} bytes, its header says {expected}"
        raise truncated_error(name, utt, decoded, decoded * expected / size, reason)
    frames = read_frames(stream) if header.format == "MP3" else None
    if frames is not None and frames.cut:
        announced = told if frames.seconds is None else None
        raise truncated_error(
            name, utt, decoded_seconds(stream), announced, "bytes are missing at its end"
        )
    if frames is None or frames.seconds is None:
        return told
    if told < frames.seconds - LOST_SECONDS:
        raise SerError(
            f"{name}: {frames.seconds:.2f} s of MP3 of a variable bit rate ({utt}), of which "
            f"{told:.2f} s can be decoded; expected a Xing header, which tells the length; "
            "write it with ffmpeg -i OLD.mp3 -c copy NEW.mp3"
        )
    return frames.seconds


def check_decoded(stream: BinaryIO, header: Header, num_samples: int, name: str, utt: str) -> None:
    """Checks the samples that were decoded against the length that a file announces.

    Raises:
        TruncatedError: There are fewer, or the file's last bytes are not there.
        SerError: As for ``seconds_to_end``.
    """
    seconds, announced = num_samples / header.samplerate, seconds_to_end(stream, header, name, utt)
    if abs(seconds - announced) > LOST_SECONDS:
        raise truncated_error(name, utt, seconds, announced)


def decoded_seconds(stream: BinaryIO) -> float:
    """How far a file can be decoded."""
    stream.seek(0)
    with contextlib.suppress(soundfile.SoundFileError), soundfile.SoundFile(stream) as file:
        num_samples = 0
        with contextlib.suppress(soundfile.SoundFileError):
            while block := len(file.read(4096, always_2d=True)):
                num_samples += block
        return num_samples / float(file.samplerate)
    return 0.0


def bytes_of(stream: BinaryIO) -> tuple[int, int]:
    """The bytes of a file, and how many its header counts; 0 where it counts none."""
    size = stream.seek(0, 2)
    stream.seek(0)
    head = stream.read(28)
    expected = 0
    if head.startswith(b"RIFF"):
        expected = int.from_bytes(head[4:8], "little") + 8
    elif head.startswith(b"FORM"):
        expected = int.from_bytes(head[4:8], "big") + 8
    elif head.startswith((b".snd", b"dns.")):
        order: Literal["big", "little"] = "big" if head.startswith(b".snd") else "little"
        expected = int.from_bytes(head[4:8], order) + int.from_bytes(head[8:12], order)
    elif head.startswith(b"riff"):
        return size, int.from_bytes(head[16:24], "little")
    elif head.startswith(b"RF64") and head[12:16] == b"ds64":
        return size, int.from_bytes(head[20:28], "little") + 8
    elif head.startswith(b"caff"):
        return size, _bytes_of_caf(stream, size)
    elif head.startswith(b"NIST_1A"):
        return size, _bytes_of_sphere(stream)
    return size, expected if is_counted(expected - 8) else 0


def is_counted(size: int) -> bool:
    """Whether the 32 bits of a header are a number of bytes.

    Streaming writers leave them at 0, at their maximum (FFmpeg) or at about half of it: arecord at
    2^31, sox at 2^31 - 2^12, rounded down to whole samples of all channels.
    """
    return 0 < size < UNCOUNTED - NEARLY and abs(size - UNCOUNTED // 2) > NEARLY


def _bytes_of_caf(stream: BinaryIO, size: int) -> int:
    """Where the chunk of a CAF file's samples ends; others may follow it."""
    at = CAF_HEADER_BYTES
    while at < size:
        stream.seek(at)
        head = stream.read(CAF_CHUNK_HEADER_BYTES)
        length = int.from_bytes(head[4:], "big", signed=True)
        if length < 0:  # to the end of the file
            return 0
        at += len(head) + length
        if head.startswith(b"data"):
            break
    return at


def _bytes_of_sphere(stream: BinaryIO) -> int:
    """What the header of a NIST SPHERE file counts, its own bytes included; 0 where it does not."""
    stream.seek(0)
    text = stream.read(4096)
    size = re.match(rb"NIST_1A\n *(\d{1,6})\n", text)
    numbers = dict(re.findall(rb"^(\w+) -(?:i|s\d+) (\d{1,12})$", text, re.M))
    if size is None or not numbers.keys() >= SPHERE_FACTORS:
        return 0
    return int(size[1]) + math.prod(int(numbers[name]) for name in SPHERE_FACTORS)


def lacks_last_page(stream: BinaryIO) -> bool:
    """Whether an Ogg file does not end with a whole page that says it is the last of its stream."""
    size = stream.seek(0, 2)
    stream.seek(max(0, size - LAST_PAGE_BYTES))
    tail = stream.read()
    page = tail[max(0, tail.rfind(PAGE)) :]
    if len(page) < PAGE_HEADER_BYTES or not page.startswith(PAGE):
        return True
    sizes = page[PAGE_HEADER_BYTES : PAGE_HEADER_BYTES + page[26]]
    whole = PAGE_HEADER_BYTES + len(sizes) + sum(sizes)
    return len(sizes) < page[26] or len(page) < whole or not page[5] & END_OF_STREAM
