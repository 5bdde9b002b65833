"""SpecAugment (Park et al., 2019): bands and stretches of time set to the utterance's mean."""

import torch

from ser.config.schema import SpecAugmentConfig


def spec_augment(
    feats: torch.Tensor, feat_lens: torch.Tensor, config: SpecAugmentConfig
) -> torch.Tensor:
    """Masks each utterance by itself, with the random state of PyTorch's CPU generator.

    Args:
        feats: (B, T, F), mean-normalised, so that zero is the mean.
        feat_lens: (B,) frames.
        config: Number and largest width of the masks.

    Returns:
        (B, T, F).
    """
    batch, size, bands = feats.shape
    lens = feat_lens.cpu().double()
    keep = torch.ones(batch, size, bands, dtype=torch.bool)
    for _ in range(config.num_freq_masks):
        start, stop = _spans(torch.full((batch,), bands).double(), config.max_freq_mask_bins)
        band = torch.arange(bands)
        keep &= ~((band >= start) & (band < stop))[:, None, :]
    widest = (lens * config.max_time_mask_prob).floor().clamp(max=config.max_time_mask_frames)
    for _ in range(config.num_time_masks):
        start, stop = _spans(lens, widest)
        frame = torch.arange(size)
        keep &= ~((frame >= start) & (frame < stop))[:, :, None]
    return feats * keep.to(feats.device)


def _spans(sizes: torch.Tensor, widest: torch.Tensor | int) -> tuple[torch.Tensor, torch.Tensor]:
    """Start and stop (B, 1) of one random span in each of (B,) sizes."""
    width = (torch.rand(len(sizes), dtype=torch.float64) * (widest + 1)).floor()
    width = torch.minimum(width, sizes)
    start = (torch.rand(len(sizes), dtype=torch.float64) * (sizes - width + 1)).floor()
    return start[:, None], (start + width)[:, None]
