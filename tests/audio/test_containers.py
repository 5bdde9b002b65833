"""Sound that PyAV reads is what soundfile would give."""

from pathlib import Path

import numpy as np
import pytest
from corpora import plant_sound

from ser.audio.containers import decode_container
from ser.base.errors import SerError

RATE = 16000


def write_mka(path: Path, samples: np.ndarray, layout: str) -> None:
    """FLAC in Matroska, without loss: samples (channels, N) of 16 bits."""
    av = pytest.importorskip("av", reason="PyAV is not installed")
    with av.open(str(path), "w") as container:
        sound = container.add_stream("flac", rate=RATE)
        sound.layout, sound.format = layout, "s16"
        frame = av.AudioFrame.from_ndarray(samples.T.reshape(1, -1), format="s16", layout=layout)
        frame.rate, frame.pts = RATE, 0
        resampler = av.AudioResampler("s16", layout, RATE, frame_size=4096)
        for piece in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(sound.encode(piece))
        container.mux(sound.encode())


@pytest.mark.parametrize(("layout", "channels"), [("mono", 1), ("stereo", 2), ("5.1", 6)])
def test_channels_are_averaged(tmp_path: Path, layout: str, channels: int) -> None:
    """Neither added up nor weighed: loud speech in both channels is no louder than in one."""
    draw = np.random.default_rng(0).integers(-32000, 32000, (channels, RATE)).astype(np.int16)
    draw[0] = draw[-1]
    write_mka(tmp_path / "a.mka", draw, layout)
    samples, rate = decode_container(tmp_path / "a.mka", "a.mka")
    assert rate == RATE and len(samples) == RATE
    assert np.abs(samples - draw.mean(axis=0) / 32768).max() < 1e-6


def test_a_rate_that_changes_on_the_way(tmp_path: Path) -> None:
    """Broadcasts join programmes: what follows at another rate is resampled to the first one."""
    path, joined = tmp_path / "a.aac", b""
    for rate in (16000, 44100, 16000):
        plant_sound(path, "aac", rate, {}, 2.0)
        joined += path.read_bytes()
    path.write_bytes(joined)
    samples, first = decode_container(path, "a.aac")
    assert first == 16000 and len(samples) / first == pytest.approx(6, abs=0.3)


def test_tags_of_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    plant_sound(path, "pcm_s16le", RATE, {}, 2.0, title="M__ller")
    path.write_bytes(path.read_bytes().replace(b"M__ller", b"M\xfc ller"))
    assert len(decode_container(path, "a.avi")[0]) == 2 * RATE


def test_a_codec_that_is_not_known(tmp_path: Path) -> None:
    path = tmp_path / "a.mka"
    plant_sound(path, "aac", RATE, {}, 2.0)
    path.write_bytes(path.read_bytes().replace(b"A_AAC", b"A_PCX"))
    with pytest.raises(SerError, match=r"^a.mka: sound of a codec that FFmpeg does not decode"):
        decode_container(path, "a.mka")


@pytest.mark.parametrize("place", range(6))
def test_a_damaged_header_of_a_frame(tmp_path: Path, place: int) -> None:
    path = tmp_path / "a.aac"
    plant_sound(path, "aac", RATE, {}, 2.0)
    content = bytearray(path.read_bytes())
    for bit in range(8):
        damaged = content.copy()
        damaged[place] ^= 1 << bit
        path.write_bytes(damaged)
        try:
            samples, _ = decode_container(path, "a.aac")
        except SerError:
            continue
        assert len(samples)
