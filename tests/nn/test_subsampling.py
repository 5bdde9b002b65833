"""The front end's lengths: the formula is what comes out."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import encoder_config

from ser.config.network import SubsamplingConfig
from ser.nn.subsampling import ConvSubsampling

PAPER = SubsamplingConfig(num_channels=2, kernel_sizes=[3, 5], strides=[2, 3])


@pytest.fixture(scope="module")
def front_end() -> ConvSubsampling:
    return ConvSubsampling(PAPER, num_mel_bins=80, d_model=4)


@given(num_frames=st.integers(11, 400))
def test_formula_equals_the_output(front_end: ConvSubsampling, num_frames: int) -> None:
    size = ((num_frames - 1) // 2 - 2) // 3
    assert front_end.output_size(num_frames) == size
    assert front_end.output_size(torch.tensor([num_frames])).tolist() == [size]
    assert front_end(torch.zeros(1, num_frames, 80)).shape == (1, size, 4)
    assert size >= 1


def test_the_paper_s_sizes() -> None:
    """80 -> 39 -> 12 bands; time and frequency by six."""
    paper = SubsamplingConfig(num_channels=512, kernel_sizes=[3, 5], strides=[2, 3])
    with torch.device("meta"):
        front_end = ConvSubsampling(paper, num_mel_bins=80, d_model=512)
        h = front_end.conv1(torch.zeros(1, 1, 120, 80))
        assert h.shape == (1, 512, 59, 39)
        assert front_end.conv2(h).shape == (1, 512, 19, 12)
        assert front_end(torch.zeros(3, 120, 80)).shape == (3, 19, 512)
    assert front_end.projection.in_features == 512 * 12
    assert front_end.output_size(6000) == pytest.approx(6000 / 6, abs=2)


@pytest.mark.parametrize(
    ("kernels", "strides"), [([3, 5], [2, 3]), ([3, 3], [2, 2]), ([5, 3], [1, 4])]
)
def test_the_fewest_frames_and_the_formula(kernels: list[int], strides: list[int]) -> None:
    config = SubsamplingConfig(num_channels=2, kernel_sizes=kernels, strides=strides)
    front_end = ConvSubsampling(config, num_mel_bins=40, d_model=4)
    assert front_end.output_size(front_end.min_frames) == 1
    assert front_end.output_size(front_end.min_frames - 1) < 1
    for num_frames in range(front_end.min_frames, 60):
        out = front_end(torch.zeros(1, num_frames, 40))
        assert out.shape[1] == front_end.output_size(num_frames)


def test_equals_relu_convolutions_and_projection_by_hand() -> None:
    """Channel-major over the bands of one frame, as the frame's own window gives it."""
    front_end = ConvSubsampling(encoder_config().subsampling, num_mel_bins=80, d_model=8)
    feats = torch.randn(1, 50, 80)
    out = front_end(feats)
    for s in range(out.shape[1]):
        window = feats[:, 6 * s : 6 * s + 11]  # each frame sees 11 feature frames, 6 apart
        assert torch.allclose(front_end(window)[0, 0], out[0, s], atol=1e-6)
    first = front_end.conv1(feats[:, None, :11]).clamp(min=0)
    second = front_end.conv2(first).clamp(min=0)[0, :, 0]  # (channels, bands)
    assert torch.allclose(front_end.projection(second.reshape(-1)), out[0, 0], atol=1e-6)
