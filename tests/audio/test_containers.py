"""Sound that PyAV reads is what soundfile would give."""

from pathlib import Path

import numpy as np
import pytest

from ser.audio.containers import decode_container

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
