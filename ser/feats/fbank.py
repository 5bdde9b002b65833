"""Log-mel filterbank energies in Kaldi's definition, for a whole utterance at once.

Kaldi's ``compute-fbank-feats`` with ``--dither=0 --use-energy=false``: snip edges, mean of the
frame removed, pre-emphasis, povey window, power spectrum, triangular mel filters, natural log.
It needs numpy and scipy alone: a process of stage 1 starts without torch.
"""

import math

import numpy as np
import scipy.fft

from ser.base.arrays import Doubles, Floats
from ser.base.errors import SerError
from ser.config.features import FbankConfig

EPSILON = np.finfo(np.float32).eps
BLOCK_FRAMES = 256  # frames that are transformed together: they stay in the processor's cache
NUM_GROUPS = 4  # groups of filters, each multiplied with the bins it covers alone


def mel_scale(frequency_hz: Doubles) -> Doubles:
    """Mel of a frequency: 1127 ln(1 + f / 700)."""
    return 1127.0 * np.log1p(frequency_hz / 700.0)


def mel_filters(config: FbankConfig, fft_size: int) -> Floats:
    """Triangular filters, evenly spaced in mel.

    Returns:
        Weights (fft_size // 2 + 1, F).
    """
    low, high = mel_scale(np.array([config.low_freq_hz, config.high_freq_hz]))
    points = np.linspace(low, high, config.num_mel_bins + 2)
    left, centre, right = points[:-2], points[1:-1], points[2:]
    bins_hz = np.arange(fft_size // 2 + 1) * config.sample_rate_hz / fft_size
    mel = mel_scale(bins_hz)[:, None]
    rising = (mel - left) / (centre - left)
    falling = (right - mel) / (right - centre)
    weights: Floats = np.minimum(rising, falling).clip(min=0).astype(np.float32)
    return weights


def covered_groups(filters: Floats) -> list[tuple[slice, slice, Floats]]:
    """Cuts (bins, F) weights into groups of neighbouring filters.

    Returns:
        For each group the bins from the first to the last that it weighs, its filters, and its
        weights: together most zeros of the whole matrix are left out.
    """
    groups = []
    for bands in np.array_split(np.arange(filters.shape[1]), NUM_GROUPS):
        covered = np.flatnonzero(filters[:, bands].any(axis=1))
        bins = slice(covered[0], covered[-1] + 1) if len(covered) else slice(0, 1)
        group = slice(bands[0], bands[-1] + 1)
        groups.append((bins, group, np.ascontiguousarray(filters[bins, group])))
    return groups


class Fbank:
    """The feature extractor. Window and filters are made once.

    Attributes:
        min_samples: Shorter utterances are padded with zeros to so many: a frame.
        frame_length: Samples a frame.
        frame_shift: Samples between frames.
        fft_size: Samples that are transformed.
        window: (frame_length,).
    """

    def __init__(self, config: FbankConfig) -> None:
        self.config = config
        self.frame_length = int(config.sample_rate_hz * config.frame_length_ms / 1000)
        self.min_samples = self.frame_length
        self.frame_shift = int(config.sample_rate_hz * config.frame_shift_ms / 1000)
        self.fft_size = 1 << math.ceil(math.log2(self.frame_length))
        # Kaldi's "povey" window
        self.window = (np.hanning(self.frame_length) ** 0.85).astype(np.float32)
        filters = mel_filters(config, self.fft_size)
        if empty := int((filters.sum(axis=0) == 0).sum()):
            raise SerError(
                f"fbank.yaml: num_mel_bins {config.num_mel_bins}: {empty} bands lie between the "
                f"frequencies of frames of {config.frame_length_ms} ms; expected bands that hold "
                "one or more; write fewer bands or a longer frame"
            )
        self._groups = covered_groups(filters)

    def num_frames(self, num_samples: int) -> int:
        """T for a number of samples: only frames that fit ("snip edges"), at least one.

        An utterance shorter than one frame is padded with zeros to one.
        """
        return max(1, 1 + (num_samples - self.frame_length) // self.frame_shift)

    def num_samples(self, num_frames: int) -> int:
        """Fewest samples that give so many frames."""
        return self.frame_length + (num_frames - 1) * self.frame_shift

    def __call__(self, samples: Floats) -> Floats:
        """Log-mel energies of one utterance.

        Args:
            samples: (N,) at ``sample_rate_hz``, in 16-bit scale.

        Returns:
            (T, F) float32, T by ``num_frames``.
        """
        if len(samples) < self.frame_length:
            samples = np.pad(samples, (0, self.frame_length - len(samples)))
        frames = np.lib.stride_tricks.sliding_window_view(samples, self.frame_length)
        frames = frames[:: self.frame_shift]  # (T, frame_length)
        energies = np.empty((len(frames), self.config.num_mel_bins), np.float32)
        padded = np.zeros((min(BLOCK_FRAMES, len(frames)), self.fft_size), np.float32)
        for start in range(0, len(frames), BLOCK_FRAMES):
            stop = start + BLOCK_FRAMES
            self._transform(frames[start:stop], padded, energies[start:stop])
        np.maximum(energies, EPSILON, out=energies)
        return np.log(energies, out=energies)

    def _transform(self, frames: Floats, padded: Floats, energies: Floats) -> None:
        """Mel energies (block, F) of (block, frame_length), by way of (block, fft_size)."""
        padded = padded[: len(frames)]
        windowed = padded[:, : self.frame_length]  # what lies beyond stays zero
        np.subtract(frames, frames.mean(axis=1, keepdims=True), out=windowed)
        # The first sample has none before it, and the window is zero there.
        windowed[:, 1:] -= self.config.preemphasis * windowed[:, :-1]
        windowed *= self.window
        spectrum = scipy.fft.rfft(padded, axis=1)  # (block, fft_size // 2 + 1)
        power = np.square(spectrum.real)
        power += np.square(spectrum.imag)
        for bins, bands, weights in self._groups:
            np.matmul(power[:, bins], weights, out=energies[:, bands])
