"""Compressed audio that was cut is refused wherever it is decoded, and what is whole never is."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from corpora import plant_sound
from tiny_audio import untrained_model

from ser.audio.containers import decode_container
from ser.audio.mp3 import read_frames
from ser.audio.reading import audio_seconds, read_audio
from ser.audio.truncation import TruncatedError
from ser.base.errors import SerError

RATE = 16000
SECONDS = 3.0
SPEECH = 0.1 * np.random.default_rng(0).normal(size=int(SECONDS * RATE))
SPEECH[:RATE] *= 1e-3  # a variable bit rate varies
# As soundfile writes them.
WRITTEN: dict[str, dict[str, Any]] = {
    "variable.mp3": {"bitrate_mode": "VARIABLE"},
    "constant.mp3": {"bitrate_mode": "CONSTANT"},
    "vorbis.ogg": {},
    "speech.opus": {"format": "OGG", "subtype": "OPUS"},
    "a.flac": {},
    "a.aiff": {},
    "a.au": {},
    "a.sph": {"format": "NIST"},
    "a.rf64": {},
    "a.w64": {},
    "a.wav": {},
}
# As FFmpeg does: codec, rate, options of the container.
VIDEOS: dict[str, tuple[str, int, dict[str, str]]] = {
    "end.m4a": ("aac", 44100, {}),
    "begin.m4a": ("aac", 44100, {"movflags": "faststart"}),
    "telephone.m4a": ("aac", 8000, {"movflags": "faststart"}),
    "pieces.mp4": ("aac", 44100, {"movflags": "frag_keyframe+empty_moov"}),
    "pcm.mov": ("pcm_s16le", 44100, {"movflags": "faststart"}),
    "a.mkv": ("aac", 44100, {}),
    "a.webm": ("libopus", 48000, {}),
    "a.avi": ("ac3", 44100, {}),
}
# Their headers tell no length.
RAW: dict[str, tuple[str, int, dict[str, str]]] = {
    "a.aac": ("aac", 44100, {}),
    "a.ac3": ("ac3", 44100, {}),
    "a.ts": ("aac", 44100, {}),
}
MP3S: dict[str, tuple[str, int, dict[str, str]]] = {
    "xing.mp3": ("libmp3lame", 44100, {}),
    "low.mp3": ("libmp3lame", 8000, {}),
    "no_xing.mp3": ("libmp3lame", 44100, {"write_xing": "0"}),
}
SHARES = (0.94, 0.9, 0.5, 0.2)


def shorten(path: Path, share: float) -> Path:
    content = path.read_bytes()
    cut = path.with_name(f"cut_{path.name}")
    cut.write_bytes(content[: int(share * len(content))])
    return cut


def write(name: str, folder: Path) -> Path:
    path = folder / name
    if name in WRITTEN:
        soundfile.write(path, SPEECH, RATE, **WRITTEN[name])
    else:
        plant_sound(path, *{**VIDEOS, **RAW, **MP3S}[name], seconds=SECONDS)
    return path


@pytest.mark.parametrize("name", [*WRITTEN, *MP3S])
def test_what_soundfile_reads(name: str, tmp_path: Path) -> None:
    path = write(name, tmp_path)
    assert audio_seconds(path, "u") == pytest.approx(SECONDS, abs=0.1)
    assert len(read_audio(path, "u", RATE)) == pytest.approx(SECONDS * RATE, abs=0.1 * RATE)
    for share in SHARES:
        cut = shorten(path, share)
        for read in (lambda p: read_audio(p, "u", RATE), list_windows, upload):
            with pytest.raises(SerError, match=r"\d s decoded|not readable"):
                read(cut)
        if path.suffix != ".flac":  # of which each frame alone tells that it is whole
            with pytest.raises(SerError, match=r"decoded .*copy it again|not readable"):
                audio_seconds(cut, "u")


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "ULAW", "ALAW"])
def test_a_sphere_file_counts_in_any_of_its_ways(subtype: str, tmp_path: Path) -> None:
    path = tmp_path / "a.sph"
    soundfile.write(path, SPEECH, RATE, subtype, format="NIST")
    assert audio_seconds(path, "u") == pytest.approx(SECONDS)
    with pytest.raises(TruncatedError):
        audio_seconds(shorten(path, 0.9), "u")


@pytest.mark.parametrize("subtype", ["GSM610", "G721_32", "NMS_ADPCM_32"])
def test_codecs_of_telephones_cannot_be_searched(subtype: str, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, SPEECH[: 2 * RATE], 8000, subtype)
    with soundfile.SoundFile(path) as file:
        assert not file.seekable()
    assert len(read_audio(path, "u", 8000)) == pytest.approx(2 * RATE, abs=800)
    windows = list(untrained_model().predict_windows(path, 1, 1))
    assert windows[-1].end == pytest.approx(4, abs=0.1)
    cut = shorten(path, 0.5)
    for read in (lambda p: read_audio(p, "u", 8000), list_windows):
        with pytest.raises(TruncatedError):
            read(cut)


@pytest.mark.parametrize("name", ["IRCAM", "VOC", "AVR", "MAT5", "PVF"])
def test_formats_whose_length_libsndfile_shortens(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"  # whatever it is called
    soundfile.write(path, SPEECH, RATE, format=name)
    for read in (lambda p: read_audio(p, "u", RATE), lambda p: audio_seconds(p, "u"), list_windows):
        with pytest.raises(SerError, match=f"{name} .*cannot be seen whether the file is whole"):
            read(path)


def list_windows(path: Path) -> None:
    list(untrained_model().predict_windows(path, 1, 1))


def upload(path: Path) -> None:
    untrained_model().predict(io.BytesIO(path.read_bytes()))


@pytest.mark.parametrize("name", VIDEOS)
def test_what_pyav_reads(name: str, tmp_path: Path) -> None:
    path = write(name, tmp_path)
    samples, rate = decode_container(path, "video")
    assert len(samples) / rate == pytest.approx(SECONDS, abs=0.1)
    for share in SHARES:
        # Where the index stands at the end, nothing can be read without it.
        said = r"decoded .*; the file is truncated|no sound to read"
        with pytest.raises(SerError, match=said) as caught:
            decode_container(shorten(path, share), "video")
        assert isinstance(caught.value, TruncatedError) or name == "end.m4a" or share == SHARES[-1]


@pytest.mark.parametrize("name", RAW)
def test_what_tells_no_length_is_no_false_alarm(name: str, tmp_path: Path) -> None:
    samples, rate = decode_container(write(name, tmp_path), "video")
    assert len(samples) / rate == pytest.approx(SECONDS, abs=0.15)


def test_a_cut_between_packets_of_a_film(tmp_path: Path) -> None:
    """The last packet is whole, so that the header alone tells."""
    path = write("a.mkv", tmp_path)
    for share in np.linspace(0.4, 0.6, 40):
        with pytest.raises(TruncatedError, match=r"of 3\.\d\d s announced"):
            decode_container(shorten(path, float(share)), "video")


def test_an_ogg_stream_that_ends_with_a_whole_page(tmp_path: Path) -> None:
    path = write("vorbis.ogg", tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: content.rfind(b"OggS")])
    with pytest.raises(TruncatedError, match=r"decoded and its end is missing .*last page"):
        audio_seconds(path, "u")


def test_mp3_without_its_header(tmp_path: Path) -> None:
    """A picture in front is no sound; a variable bit rate, of which a third is read, is refused."""
    path = write("no_xing.mp3", tmp_path)
    content = path.read_bytes()
    content = content[content.find(b"\xff\xfb") :]
    picture = b"ID3\x04\0\0" + bytes([0, 12, 0, 0]) + bytes(12 << 14)
    for name, whole in {"plain": content, "cover": picture + content}.items():
        path = tmp_path / f"{name}.mp3"
        path.write_bytes(whole + b"TAG" + bytes(125))
        assert audio_seconds(path, "u") == pytest.approx(SECONDS, abs=0.1)
        assert len(read_audio(path, "u", RATE)) == pytest.approx(SECONDS * RATE, abs=0.1 * RATE)
    for name, between in {"tag": picture, "rubbish": bytes([255, 251, 0]) * 30}.items():
        path = tmp_path / f"{name}.mp3"
        path.write_bytes(content + between + content)
        assert audio_seconds(path, "u") == pytest.approx(2 * SECONDS, abs=0.2)
        assert len(read_audio(path, "u", RATE)) == pytest.approx(2 * SECONDS * RATE, abs=0.2 * RATE)
    variable = write("variable.mp3", tmp_path)
    with variable.open("rb") as stream:
        frames = read_frames(stream)
    assert frames is not None and frames.seconds is None and not frames.cut
    content = variable.read_bytes()
    variable.write_bytes(content[content.find(b"\xff\xf3", 4) :])
    for read in (lambda: audio_seconds(variable, "u"), lambda: read_audio(variable, "u", RATE)):
        with pytest.raises(SerError, match=r"variable bit rate .*expected a Xing header.*ffmpeg"):
            read()


def test_a_flac_whose_header_announces_what_no_memory_holds(tmp_path: Path) -> None:
    path = write("a.flac", tmp_path)
    content = bytearray(path.read_bytes())
    content[21] |= 0x0F  # the number of samples, 36 bits
    content[22:26] = b"\xff" * 4
    path.write_bytes(content)
    with pytest.raises(TruncatedError, match=r"a\.flac: .* s decoded of 4294967\.30 s"):
        read_audio(path, "u", RATE)


def test_a_flac_stream_of_unknown_length(tmp_path: Path) -> None:
    path = write("a.flac", tmp_path)
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0  # the number of samples, 36 bits
    content[22:26] = bytes(4)
    path.write_bytes(content)
    for read in (lambda: audio_seconds(path, "u"), lambda: read_audio(path, "u", RATE)):
        with pytest.raises(SerError, match=r"a\.flac: no length in its header \(u\); .*ffmpeg"):
            read()
