"""SpecAugment masks no more than asked, within the utterance."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.config.schema import SpecAugmentConfig
from ser.feats.spec_augment import spec_augment

BANDS = 80
LENS = torch.tensor([200, 120, 33, 7, 1])
FEATS = torch.ones(len(LENS), 200, BANDS)


def config(freq: tuple[int, int] = (0, 0), time: tuple[int, int, float] = (0, 0, 0.0)):
    """Number and width of the masks; for time also the largest share."""
    return SpecAugmentConfig(
        num_freq_masks=freq[0],
        max_freq_mask_bins=freq[1],
        num_time_masks=time[0],
        max_time_mask_frames=time[1],
        max_time_mask_prob=time[2],
    )


def masked(options: SpecAugmentConfig, seed: int) -> torch.Tensor:
    """True where a value was set to zero."""
    torch.manual_seed(seed)
    out = spec_augment(FEATS, LENS, options)
    assert ((out == 0) | (out == FEATS)).all()
    return out == 0


def is_one_span(hit: torch.Tensor) -> bool:
    where = hit.nonzero().flatten()
    return not len(where) or len(where) == where[-1] - where[0] + 1


@settings(deadline=None, max_examples=50)
@given(
    seed=st.integers(0, 10**6),
    widest=st.integers(0, 40),
    share=st.floats(0.0, 0.95),
)
def test_one_time_mask(seed: int, widest: int, share: float) -> None:
    mask = masked(config(time=(1, widest, share)), seed)
    assert torch.equal(mask.any(dim=2), mask.all(dim=2)), "all bands of a frame, or none"
    for row, size in zip(mask[:, :, 0], LENS.tolist(), strict=True):
        assert is_one_span(row)
        assert row.sum() <= min(widest, share * size + 1e-9)
        assert not row[size:].any()


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10**6), widest=st.integers(0, 200))
def test_one_frequency_mask(seed: int, widest: int) -> None:
    mask = masked(config(freq=(1, widest)), seed)
    assert torch.equal(mask.any(dim=1), mask.all(dim=1)), "all frames of a band, or none"
    for row in mask[:, 0]:
        assert is_one_span(row)
        assert row.sum() <= min(widest, BANDS)


def test_every_width_and_place_is_drawn() -> None:
    torch.manual_seed(0)
    narrow = torch.ones(2000, 200, 1)
    time = spec_augment(narrow, torch.full((2000,), 200), config(time=(1, 3, 0.5)))[:, :, 0] == 0
    assert sorted(time.sum(dim=1).unique().tolist()) == [0, 1, 2, 3]
    assert time.any(dim=0).all(), "first and last frames too"
    short = torch.ones(2000, 1, BANDS)
    bands = spec_augment(short, torch.ones(2000), config(freq=(1, 8)))[:, 0] == 0
    assert sorted(bands.sum(dim=1).unique().tolist()) == list(range(9))
    assert bands.any(dim=0).all()


def test_utterances_are_masked_each_by_itself() -> None:
    lens = torch.full((6,), 200)
    torch.manual_seed(0)
    out = spec_augment(torch.ones(6, 200, BANDS), lens, config((1, 30), (1, 60, 0.9)))
    assert len({row.numpy().tobytes() for row in out}) == 6


@pytest.mark.parametrize(
    "options",
    [config(), config((2, 0), (2, 0, 0.5)), config(time=(2, 50, 0.0))],
    ids=["no masks", "no width", "no share"],
)
def test_nothing_to_mask_is_identity(options: SpecAugmentConfig) -> None:
    assert not masked(options, 0).any()


def test_the_seed_of_torch_decides() -> None:
    options = config((2, 27), (2, 100, 0.2))
    assert torch.equal(masked(options, 3), masked(options, 3))
    assert not torch.equal(masked(options, 3), masked(options, 4))


def test_more_masks_cover_more() -> None:
    few, many = (
        sum(float(masked(config((n, 27), (n, 100, 0.2)), s).float().mean()) for s in range(20))
        for n in (1, 4)
    )
    assert many > 1.5 * few
