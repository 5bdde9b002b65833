"""Standard input by its header: WAV is read as it says, other formats are refused."""

import io
import struct

import numpy as np
import pytest
import soundfile

from ser.base.errors import SerError
from ser.infer.pcm import read_pcm

RATE = 48000


def wav(channels: int = 2, subtype: str = "PCM_16", file_format: str = "WAV") -> bytes:
    """Half a second; each channel has its own level."""
    levels = np.linspace(0.1, 0.3, channels)
    samples = np.random.default_rng(0).uniform(-1, 1, (RATE // 2, 1)) * levels
    stream = io.BytesIO()
    soundfile.write(stream, samples, RATE, subtype, format=file_format)
    return stream.getvalue()


def header(channels: int = 1, rate: int = RATE) -> bytes:
    """That of a stream of a second, and no samples."""
    form = struct.pack("<IHHIIHH", 16, 1, channels, rate, 2 * RATE, 2, 16)
    return b"RIFF" + bytes(4) + b"WAVEfmt " + form + b"data" + struct.pack("<I", 2 * RATE)


def samples_of(data: bytes, rate: int | None = None, size: int = 1000) -> tuple[bytes, int]:
    pcm = read_pcm(io.BytesIO(data), rate)
    samples = b"".join(iter(lambda: pcm.source.read(size), b""))
    pcm.require_end()
    return samples, pcm.rate_hz


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("file_format", ["WAV", "WAVEX"])
def test_wav_is_read_by_its_header(channels: int, file_format: str) -> None:
    data = wav(channels, file_format=file_format)
    found, rate = samples_of(data)
    expected, _ = soundfile.read(io.BytesIO(data), dtype="int16", always_2d=True)
    assert rate == RATE
    mono = np.frombuffer(found, "<i2")
    assert np.abs(mono - expected.mean(axis=1)).max() <= 0.5


def test_chunks_around_the_samples_are_left_out() -> None:
    data = wav(1)
    head, samples = data[:36], data[36:]
    extra = b"LIST" + struct.pack("<I", 5) + b"abcde\0"
    assert samples_of(head + extra + samples + extra) == samples_of(data)


@pytest.mark.parametrize("size", [0, 0x7FFFEFFC, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_a_live_stream_knows_no_length(size: int) -> None:
    data = wav(1)
    live = data[:40] + struct.pack("<I", size) + data[44:]
    assert samples_of(live) == samples_of(data)


def test_a_byte_that_fills_up_may_be_missing() -> None:
    data = wav(1)
    counted = data[:40] + struct.pack("<I", len(data) - 44 + 1) + data[44:]
    assert samples_of(counted) == samples_of(data)


@pytest.mark.parametrize("rate", [None, 8000])
def test_raw_pcm_is_passed_on_whole(rate: int | None) -> None:
    for data in (bytes(range(256)) * 20, b"", b"\1\2\3", b"RIFF" + bytes(50)):
        assert samples_of(data, rate) == (data, rate or 16000)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (wav(subtype="PCM_24"), "a WAV stream of format 1, 24 bits, 2 channels, 48000 Hz"),
        (wav(subtype="FLOAT"), "a WAV stream of format 3, 32 bits"),
        (wav()[:30], "ends within its header"),
        (wav()[:12] + b"data" + struct.pack("<I", 4) + bytes(4), "without a format"),
        (wav()[:12] + b"JUNK" + struct.pack("<I", 2**31) + bytes(9999), "2147483648 bytes before"),
        (wav(file_format="FLAC"), "FLAC on standard input"),
        (wav(subtype="VORBIS", file_format="OGG"), "Ogg on standard input"),
        (wav(file_format="AIFF"), "AIFF on standard input"),
        (wav(1, subtype="MPEG_LAYER_III", file_format="MP3"), "MP3"),
        (b"ID3\4" + bytes(20), "MP3 on standard input"),
        (b"\0\0\0 ftypM4A " + bytes(20), "MP4 or M4A on standard input"),
        (b"\x1a\x45\xdf\xa3" + bytes(20), "WebM"),
        (b"RIFF" + bytes(4) + b"AVI LIST", "RIFF AVI on standard input"),
        (b"riff\x2e\x91\xcf\x11" + bytes(20), "W64 on standard input"),
        (b"\xff\xf1\x50\x80" + bytes(20), "AAC .or raw PCM, if --rate says so"),
        (b'{"path": "a.wav"}', "text .or raw PCM"),
        (header(channels=65535), "65535 channels, 48000 Hz .1 to 64 channels, 1000 to"),
        (header(rate=1), "1 channels, 1 Hz"),
        (header(rate=2**32 - 1), "4294967295 Hz"),
        (wav()[:5000], r"ends \d+ bytes before the end that its header announces"),
    ],
)
def test_what_is_not_16_bit_pcm_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(SerError, match=f"^-: .*{said}"):
        samples_of(data)


def test_a_rate_that_the_header_contradicts_is_refused() -> None:
    with pytest.raises(SerError, match="--rate 16000: the WAV stream says 48000 Hz"):
        samples_of(wav(), 16000)
    assert samples_of(wav(), RATE) == samples_of(wav())


def test_bytes_that_mp3_begins_with_are_raw_pcm_where_a_rate_says_so() -> None:
    data = b"\xff\xfb" + bytes(40)
    with pytest.raises(SerError, match="if --rate says so"):
        samples_of(data)
    assert samples_of(data, 16000) == (data, 16000)
