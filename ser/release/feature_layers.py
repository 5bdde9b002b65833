"""The definitions of features as products, so that any runtime has them inside a graph."""

import numpy as np
import torch
from torch import nn

from ser.audio.reading import INT16_SCALE
from ser.config.features import FbankConfig, FeaturesConfig, WhisperMelConfig
from ser.feats.fbank import EPSILON, Fbank, mel_filters
from ser.feats.whisper import DYNAMIC_RANGE, FFT_SIZE, FRAME_SHIFT, MIN_ENERGY, WhisperMel
from ser.nn.mask import length_mask


class FeatureLayer(nn.Module):
    """Samples (B, N) in 16-bit scale and their lengths (B,) -> features (B, T, F), lengths (B,).

    The samples are zero beyond the lengths, which reach ``Extractor.min_samples``. The features
    are not normalised; beyond their lengths they may be anything.
    """

    def __init__(self, config: FeaturesConfig) -> None:
        super().__init__()
        self.normalisation = config.normalisation


class FbankLayer(FeatureLayer):
    """``Fbank`` as products: the Fourier transform is a matrix, so that any runtime has it."""

    window: torch.Tensor
    fourier: torch.Tensor
    filters: torch.Tensor

    def __init__(self, config: FbankConfig) -> None:
        super().__init__(config)
        fbank = Fbank(config)
        self.frame_length, self.frame_shift = fbank.frame_length, fbank.frame_shift
        self.preemphasis = config.preemphasis
        self.register_buffer("window", torch.from_numpy(fbank.window))
        self.register_buffer("fourier", fourier_matrix(fbank.frame_length, fbank.fft_size))
        self.register_buffer("filters", torch.from_numpy(mel_filters(config, fbank.fft_size)))

    def forward(
        self, samples: torch.Tensor, lens: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The log-mel energies of the frames that fit into each utterance."""
        frames = samples.unfold(1, self.frame_length, self.frame_shift)  # (B, T, length)
        frames = frames - frames.mean(dim=2, keepdim=True)
        before = nn.functional.pad(frames[:, :, :-1], (1, 0))
        frames = (frames - self.preemphasis * before) * self.window
        real, imaginary = (frames @ self.fourier).chunk(2, dim=2)  # each (B, T, bins)
        energies = (real.square() + imaginary.square()) @ self.filters
        feats = energies.clamp(min=float(EPSILON)).log()
        return feats, (lens - self.frame_length) // self.frame_shift + 1


class WhisperMelLayer(FeatureLayer):
    """``WhisperMel``."""

    fourier: torch.Tensor
    filters: torch.Tensor

    def __init__(self, config: WhisperMelConfig) -> None:
        super().__init__(config)
        mel = WhisperMel(config)
        window = torch.from_numpy(mel.window)[:, None]
        self.register_buffer("fourier", window * fourier_matrix(FFT_SIZE, FFT_SIZE))
        self.register_buffer("filters", torch.from_numpy(mel.filters))

    def forward(
        self, samples: torch.Tensor, lens: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The spectrogram, held to each utterance's own loudest value."""
        lens = (lens + FRAME_SHIFT - 1) // FRAME_SHIFT
        half = FFT_SIZE // 2
        before = samples[:, 1 : half + 1].flip(1)
        signal = torch.cat([before, samples], dim=1) / INT16_SCALE
        signal = nn.functional.pad(signal, (0, FFT_SIZE))
        frames = signal.unfold(1, FFT_SIZE, FRAME_SHIFT)  # (B, T or more, FFT_SIZE)
        real, imaginary = (frames @ self.fourier).chunk(2, dim=2)  # each (B, T, bins)
        energies = (real.square() + imaginary.square()) @ self.filters
        log = energies.clamp(min=MIN_ENERGY).log10()  # (B, T, F)
        beyond = ~length_mask(lens, log.shape[1])[:, :, None]
        loudest = log.masked_fill(beyond, -np.inf).amax(dim=(1, 2), keepdim=True)
        return (torch.maximum(log, loudest - DYNAMIC_RANGE) + 4.0) / 4.0, lens


def fourier_matrix(num_samples: int, fft_size: int) -> torch.Tensor:
    """Real and imaginary part of a Fourier transform: (num_samples, 2 (fft_size / 2 + 1))."""
    num_bins = fft_size // 2 + 1
    angles = 2 * np.pi / fft_size * np.outer(np.arange(num_samples), np.arange(num_bins))
    matrix = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
    return torch.from_numpy(matrix.astype(np.float32))


def make_feature_layer(config: FeaturesConfig) -> FeatureLayer:
    """The layer of a configuration."""
    if isinstance(config, FbankConfig):
        return FbankLayer(config)
    return WhisperMelLayer(config)
