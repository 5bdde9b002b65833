"""Log-mel filterbank energies in Kaldi's definition, for a whole utterance at once.

Kaldi's ``compute-fbank-feats`` with ``--dither=0 --use-energy=false``: snip edges, mean of the
frame removed, pre-emphasis, povey window, power spectrum, triangular mel filters, natural log.
"""

import math

import torch

from ser.config.schema import FbankConfig

EPSILON = torch.finfo(torch.float32).eps


def mel_scale(frequency_hz: torch.Tensor) -> torch.Tensor:
    """Mel of a frequency: 1127 ln(1 + f / 700)."""
    return 1127.0 * torch.log1p(frequency_hz / 700.0)


def mel_filters(config: FbankConfig, fft_size: int) -> torch.Tensor:
    """Triangular filters, evenly spaced in mel.

    Returns:
        Weights (fft_size // 2 + 1, F).
    """
    edges = mel_scale(torch.tensor([config.low_freq_hz, config.high_freq_hz], dtype=torch.float64))
    points = torch.linspace(float(edges[0]), float(edges[1]), config.num_mel_bins + 2).double()
    left, centre, right = points[:-2], points[1:-1], points[2:]
    bins_hz = torch.arange(fft_size // 2 + 1).double() * config.sample_rate_hz / fft_size
    mel = mel_scale(bins_hz)[:, None]
    rising = (mel - left) / (centre - left)
    falling = (right - mel) / (right - centre)
    return torch.minimum(rising, falling).clamp(min=0).float()


class Fbank:
    """The feature extractor. Window and filters are made once.

    Attributes:
        frame_length: Samples a frame.
        frame_shift: Samples between frames.
    """

    def __init__(self, config: FbankConfig) -> None:
        self.config = config
        self.frame_length = int(config.sample_rate_hz * config.frame_length_ms / 1000)
        self.frame_shift = int(config.sample_rate_hz * config.frame_shift_ms / 1000)
        self._fft_size = 1 << math.ceil(math.log2(self.frame_length))
        hann = torch.hann_window(self.frame_length, periodic=False, dtype=torch.float64)
        self._window = hann.pow(0.85).float()  # Kaldi's "povey"
        self._filters = mel_filters(config, self._fft_size)

    def num_frames(self, num_samples: int) -> int:
        """T for a number of samples: only frames that fit ("snip edges"), at least one.

        An utterance shorter than one frame is padded with zeros to one.
        """
        return max(1, 1 + (num_samples - self.frame_length) // self.frame_shift)

    def __call__(self, samples: torch.Tensor) -> torch.Tensor:
        """Log-mel energies of one utterance.

        Args:
            samples: (N,) at ``sample_rate_hz``, in 16-bit scale.

        Returns:
            (T, F) float32, T by ``num_frames``.
        """
        if len(samples) < self.frame_length:
            samples = torch.nn.functional.pad(samples, (0, self.frame_length - len(samples)))
        frames = samples.unfold(0, self.frame_length, self.frame_shift)  # (T, frame_length)
        frames = frames - frames.mean(dim=1, keepdim=True)
        previous = torch.cat([frames[:, :1], frames[:, :-1]], dim=1)
        frames = (frames - self.config.preemphasis * previous) * self._window
        spectrum = torch.fft.rfft(frames, n=self._fft_size)  # (T, fft_size // 2 + 1)
        power = spectrum.real.square() + spectrum.imag.square()
        energies: torch.Tensor = power @ self._filters  # (T, F)
        return energies.clamp(min=EPSILON).log()
