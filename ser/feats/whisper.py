"""Whisper's log-mel spectrogram (Radford et al., 2022), for a whole utterance at once.

As the published feature extractor has it: Hann window of 400 samples every 160, the first centred
on the first sample with the signal reflected before it, power spectrum, Slaney's mel filters,
log10, at most 8 below the utterance's loudest value, then (x + 4) / 4. Behind the utterance there
is silence, up to 30 s in the published one; here ``pad_seconds`` says how much. It needs numpy and
scipy alone: a process of stage 1 starts without torch.
"""

import math

import numpy as np
import scipy.fft

from ser.audio.reading import INT16_SCALE
from ser.base.arrays import Doubles, Floats
from ser.config.features import WhisperMelConfig

FFT_SIZE = 400
FRAME_SHIFT = 160
DYNAMIC_RANGE = 8.0  # in powers of ten
MIN_ENERGY = 1e-10


def mel_filters(num_mel_bins: int, sample_rate_hz: int) -> Floats:
    """Triangular filters of equal area, on the mel scale of Slaney's auditory toolbox.

    Returns:
        Weights (FFT_SIZE // 2 + 1, F).
    """
    edges = hertz(np.linspace(0.0, mel(sample_rate_hz / 2), num_mel_bins + 2))
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    bins_hz = np.linspace(0, sample_rate_hz / 2, FFT_SIZE // 2 + 1)[:, None]
    rising = (bins_hz - left) / (centre - left)
    falling = (right - bins_hz) / (right - centre)
    weights = np.minimum(rising, falling).clip(min=0) * 2 / (right - left)
    return weights.astype(np.float32)


# Slaney's mel scale: 200 / 3 Hz a mel up to 1000 Hz, then 27 mels for a factor of 6.4.
LINEAR_HZ, LINEAR_MELS = 1000.0, 15.0
LOG_STEP = math.log(6.4) / 27.0


def mel(frequency_hz: float) -> float:
    """Mels of a frequency of 1000 Hz or more."""
    return LINEAR_MELS + math.log(frequency_hz / LINEAR_HZ) / LOG_STEP


def hertz(mels: Doubles) -> Doubles:
    """Frequencies of mels."""
    above = LINEAR_HZ * np.exp(LOG_STEP * (mels - LINEAR_MELS))
    return np.where(mels < LINEAR_MELS, mels * LINEAR_HZ / LINEAR_MELS, above)


class WhisperMel:
    """The feature extractor. Window and filters are made once.

    Attributes:
        min_samples: Shorter utterances are padded with zeros.
        window: (FFT_SIZE,), a periodic Hann window.
        filters: (FFT_SIZE // 2 + 1, F).
    """

    def __init__(self, config: WhisperMelConfig) -> None:
        self.config = config
        self.min_samples = max(FFT_SIZE, round((config.pad_seconds or 0) * config.sample_rate_hz))
        self.window = np.hanning(FFT_SIZE + 1)[:-1].astype(np.float32)
        self.filters = mel_filters(config.num_mel_bins, config.sample_rate_hz)

    def num_frames(self, num_samples: int) -> int:
        """T for a number of samples: one for each shift that begins within them."""
        return -(-max(num_samples, self.min_samples) // FRAME_SHIFT)

    def num_samples(self, num_frames: int) -> int:
        """Samples that give so many frames, or where these are too few the fewest."""
        return max(num_frames * FRAME_SHIFT, self.min_samples)

    def __call__(self, samples: Floats) -> Floats:
        """The spectrogram of one utterance.

        Args:
            samples: (N,) at 16 kHz, in 16-bit scale.

        Returns:
            (T, F) float32, T by ``num_frames``.
        """
        num_frames = self.num_frames(len(samples))
        behind = max(self.min_samples - len(samples), 0) + FFT_SIZE
        signal = np.pad(samples / np.float32(INT16_SCALE), (0, behind))
        signal = np.concatenate([signal[FFT_SIZE // 2 : 0 : -1], signal])
        frames = np.lib.stride_tricks.sliding_window_view(signal, FFT_SIZE)[::FRAME_SHIFT]
        spectrum = scipy.fft.rfft(frames[:num_frames] * self.window, axis=1)  # (T, bins)
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        log = np.log10(np.maximum(power @ self.filters, MIN_ENERGY))  # (T, F)
        feats: Floats = (np.maximum(log, log.max() - DYNAMIC_RANGE) + 4.0) / 4.0
        return feats.astype(np.float32, copy=False)
