"""The bytes that a header counts."""

import struct
from io import BytesIO

import pytest

from ser.audio.truncation import bytes_of


@pytest.mark.parametrize(
    ("counted", "found"),
    [
        (1000, 1008),
        (2_200_000_000, 2_200_000_008),  # a meeting of three hours
        (4_200_000_000, 4_200_000_008),
        (0, 0),  # from here on as streaming writers leave it
        (0xFFFFFFFF, 0),  # FFmpeg
        (0x80000024, 0),  # arecord
        (0x7FFFF024, 0),  # sox, mono
        (0x7FFFF020, 0),  # sox, six channels
    ],
)
def test_what_a_wav_header_counts(counted: int, found: int) -> None:
    header = b"RIFF" + struct.pack("<I", counted) + b"WAVE"
    assert bytes_of(BytesIO(header)) == (len(header), found)
