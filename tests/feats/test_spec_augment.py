"""SpecAugment masks no more than asked, within the utterance, each utterance by itself."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.config.schema import SpecAugmentConfig
from ser.feats.spec_augment import spec_augment_spans

BANDS = 80
LENS = [200, 120, 33, 7, 1]


def config(freq: tuple[int, int] = (0, 0), time: tuple[int, int, float] = (0, 0, 0.0)):
    """Number and width of the masks; for time also the largest share."""
    return SpecAugmentConfig(
        num_freq_masks=freq[0],
        max_freq_mask_bins=freq[1],
        num_time_masks=time[0],
        max_time_mask_frames=time[1],
        max_time_mask_prob=time[2],
    )


BOTH = config((2, 27), (2, 100, 0.2))


def masked(
    options: SpecAugmentConfig,
    seed: int,
    epoch: int = 0,
    lens: list[int] = LENS,
    bands: int = BANDS,
) -> list[npt.NDArray[np.bool_]]:
    """For each utterance (T, F), true where a value was set to zero."""
    spans = spec_augment_spans(lens, bands, options, seed, epoch)
    masks = []
    for index, size in enumerate(lens):
        feats = np.ones((size, bands), np.float32)
        spans.mask(index, feats)
        assert ((feats == 0) | (feats == 1)).all()
        masks.append(feats == 0)
    return masks


def is_one_span(hit: npt.NDArray[np.bool_]) -> bool:
    where = np.flatnonzero(hit)
    return not len(where) or len(where) == where[-1] - where[0] + 1


@settings(max_examples=50)
@given(
    seed=st.integers(0, 10**6),
    widest=st.integers(0, 40),
    share=st.floats(0.0, 0.95),
)
def test_one_time_mask(seed: int, widest: int, share: float) -> None:
    for mask, size in zip(masked(config(time=(1, widest, share)), seed), LENS, strict=True):
        assert np.array_equal(mask.any(axis=1), mask.all(axis=1)), "all bands of a frame, or none"
        assert is_one_span(mask[:, 0])
        assert mask[:, 0].sum() <= min(widest, share * size + 1e-9)


@settings(max_examples=50)
@given(seed=st.integers(0, 10**6), widest=st.integers(0, 200))
def test_one_frequency_mask(seed: int, widest: int) -> None:
    for mask in masked(config(freq=(1, widest)), seed):
        assert np.array_equal(mask.any(axis=0), mask.all(axis=0)), "all frames of a band, or none"
        assert is_one_span(mask[0])
        assert mask[0].sum() <= min(widest, BANDS)


def test_every_width_and_place_is_drawn() -> None:
    time = np.stack(masked(config(time=(1, 3, 0.5)), 0, lens=[200] * 2000, bands=1))[:, :, 0]
    assert sorted(set(time.sum(axis=1))) == [0, 1, 2, 3]
    assert time.any(axis=0).all(), "first and last frames too"
    bands = np.stack(masked(config(freq=(1, 8)), 0, lens=[1] * 2000))[:, 0]
    assert sorted(set(bands.sum(axis=1))) == list(range(9))
    assert bands.any(axis=0).all()


@settings(max_examples=30)
@given(
    seed=st.integers(0, 10**6),
    epoch=st.integers(0, 100),
    lens=st.lists(st.integers(1, 300), min_size=1, max_size=12),
)
def test_masks_depend_on_seed_epoch_and_place_alone(seed: int, epoch: int, lens: list[int]) -> None:
    alone = masked(BOTH, seed, epoch, lens)
    among_others = masked(BOTH, seed, epoch, [*lens, 500, 40])
    for a, b in zip(alone, among_others[: len(lens)], strict=True):
        assert np.array_equal(a, b)


def test_utterances_epochs_and_seeds_differ() -> None:
    lens = [200] * 6
    masks = [m for s, e in ((0, 0), (0, 1), (1, 0)) for m in masked(BOTH, s, e, lens)]
    assert len({mask.tobytes() for mask in masks}) == 18


@pytest.mark.parametrize(
    "options",
    [config(), config((2, 0), (2, 0, 0.5)), config(time=(2, 50, 0.0))],
    ids=["no masks", "no width", "no share"],
)
def test_nothing_to_mask_is_identity(options: SpecAugmentConfig) -> None:
    assert not any(mask.any() for mask in masked(options, 0))


def test_more_masks_cover_more() -> None:
    few, many = (
        sum(masked(config((n, 27), (n, 100, 0.2)), s)[0].mean() for s in range(20)) for n in (1, 4)
    )
    assert many > 1.5 * few
