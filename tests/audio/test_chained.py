"""Files of which a decoder reads the beginning alone are refused; what only looks so is read."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser.audio.reading import read_audio
from ser.base.errors import SerError
from ser.infer.recordings import stream_file

RATE_HZ = 16000
ID3 = b"ID3\x03\0\0" + bytes([0, 0, 70, 40])  # of 9000 bytes
ID3V1 = b"TAG" + b"title".ljust(125, b"\0")
PICTURE = bytes(range(1, 101)) * 90
NOISE = 0.1 * np.random.default_rng(0).normal(size=20000)


def written(path: Path, edit: Callable[[bytes], bytes]) -> Path:
    soundfile.write(path, NOISE, RATE_HZ)
    path.write_bytes(edit(path.read_bytes()))
    return path


def with_header_of(data: bytes, num_samples: int) -> bytes:
    """A WAV file whose header counts so many samples of 16 bits."""
    size = struct.pack("<I", 2 * num_samples)
    return data[:4] + struct.pack("<I", 36 + 2 * num_samples) + data[8:40] + size + data[44:]


def with_bytes(data: bytes, number: int) -> bytes:
    """An MP3 whose Xing header counts so many bytes."""
    place = max(data.find(b"Xing"), data.find(b"Info")) + 12
    return data[:place] + struct.pack(">I", number) + data[place + 4 :]


def without_bytes(data: bytes) -> bytes:
    """An MP3 whose Xing header counts frames alone."""
    place = max(data.find(b"Xing"), data.find(b"Info")) + 4
    return data[:place] + struct.pack(">I", 1) + data[place + 4 :]


GO_ON: dict[str, Callable[[bytes], bytes]] = {
    "joined.flac": lambda data: data + data,
    "joined.mp3": lambda data: data + data,
    "joined_behind_a_tag.mp3": lambda data: data + ID3V1 + data,
    "joined_with_rubbish_between.mp3": lambda data: data + bytes([1, 255, 251]) * 20 + data,
    "joined.au": lambda data: data + data,
    "joined_without_a_number_of_bytes.mp3": lambda data: without_bytes(data) + data,
    "joined.caf": lambda data: data + data,
    "joined.rf64": lambda data: data + data,
    "joined.w64": lambda data: data + data,
    "joined.ogg": lambda data: data + data,
    "stale.wav": lambda data: with_header_of(data, 8000),
}


@pytest.mark.parametrize("name", GO_ON)
def test_more_audio_than_is_decoded_is_an_error(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name, GO_ON[name])
    for read in (
        lambda: read_audio(path, "u", RATE_HZ),
        lambda: list(stream_file(path, RATE_HZ)),
    ):
        with pytest.raises(SerError, match=rf"{name}: more audio after the \d\.\d\d s that are"):
            read()


WHOLE: dict[str, Callable[[bytes], bytes]] = {
    "tagged.mp3": lambda data: data + ID3V1,
    "padded.wav": lambda data: data + bytes(60000),
    "padded.au": lambda data: data + bytes(60000),
    "padded.caf": lambda data: data + bytes(60000),
    "more_chunks.caf": lambda data: data + b"free" + struct.pack(">q", 9000) + PICTURE,
    "remarks.au": lambda data: data + PICTURE,
    "uncounted_chunk.rf64": lambda data: data + b"axml" + struct.pack("<I", 9000) + PICTURE,
    "counts_too_few_bytes.mp3": lambda data: with_bytes(data, 1000),
    "noted.wav": lambda data: data + b"LIST\x04\0\0\0note",
    "pictured.wav": lambda data: data + b"id3 " + struct.pack("<I", 9000) + PICTURE,
    "pictured.aiff": lambda data: data + b"ID3 " + struct.pack(">I", 9000) + PICTURE,
    "tagged.wav": lambda data: data + ID3 + PICTURE,
    "pictured.mp3": lambda data: data + ID3 + PICTURE,
    "tagged_in_front.flac": lambda data: ID3 + bytes(9000) + data,
    "whose_samples_alone_have_a_size.wav": lambda data: data[:4] + struct.pack("<I", 36) + data[8:],
}


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_whole_is_read(tmp_path: Path, name: str) -> None:
    assert len(read_audio(written(tmp_path / name, WHOLE[name]), "u", RATE_HZ)) == len(NOISE)
