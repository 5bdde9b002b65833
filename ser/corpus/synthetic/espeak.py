"""The voice of the generated corpus: eSpeak NG through ctypes, from the wheel `espeakng-loader`.

eSpeak keeps state from one utterance to the next that no call of its interface resets, not even
terminating and initialising it again, so the samples of a sentence depend on what was said before.
Therefore each utterance is spoken by a library loaded afresh and unloaded again: 2 ms.
"""

import _ctypes
import ctypes
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import espeakng_loader
import numpy as np
import soxr
from numpy.typing import NDArray

from ser.base.arrays import Floats

SAMPLE_RATE_HZ = 16_000

# Constants of espeak-ng/speak_lib.h.
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4
_POSITION_IS_CHARACTER = 1
_CHARS_UTF8 = 1
_SYNTH_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)
_ROOM_NOISE_RMS = 20.0  # in 16-bit steps
_RANDOM_SEED = 1  # of the noise in breathy and Klatt voices
_SILENCE_PEAK = 32  # of 32767; eSpeak ends an utterance with zeros


@dataclass(frozen=True, kw_only=True)
class Prosody:
    """How an utterance is said; 50 is the voice's own pitch and pitch range."""

    rate_wpm: int  # 80 to 450
    volume: int  # 0 to 200, linear, 100 is eSpeak's default
    pitch: int  # 0 to 100
    pitch_range: int  # 0 (monotone) to 100


def speak(text: str, voice: str, prosody: Prosody) -> NDArray[np.int16]:
    """Speaks American English; the same arguments always give the same samples.

    Args:
        text: Plain words.
        voice: Name of an eSpeak variant, such as `f3`.
        prosody: Rate, loudness and pitch.

    Returns:
        16 kHz mono samples, without the silence at both ends.

    Raises:
        ValueError: If eSpeak has no such voice.
        RuntimeError: If eSpeak fails.
    """
    if voice not in _variants():
        raise ValueError(
            f"voice {voice}: not among eSpeak's {len(_variants())} variants; see voices/!v"
        )
    chunks: list[bytes] = []

    def keep(samples: "ctypes._Pointer[ctypes.c_short]", num_samples: int, _events: int) -> int:
        if samples and num_samples > 0:
            chunks.append(ctypes.string_at(samples, num_samples * ctypes.sizeof(ctypes.c_short)))
        return 0

    callback = _SYNTH_CALLBACK(keep)  # must outlive espeak_Synth
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    try:
        data_path = espeakng_loader.get_data_path().encode()
        espeak_rate_hz = library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, data_path, 0)
        if espeak_rate_hz <= 0:
            raise RuntimeError(
                f"espeak_Initialize: status {espeak_rate_hz}; expected a sample rate"
            )
        library.espeak_ng_SetRandSeed(ctypes.c_long(_RANDOM_SEED))
        library.espeak_SetSynthCallback(callback)
        _check("espeak_SetVoiceByName", library.espeak_SetVoiceByName(f"en-us+{voice}".encode()))
        for parameter, value in (
            (_RATE, prosody.rate_wpm),
            (_VOLUME, prosody.volume),
            (_PITCH, prosody.pitch),
            (_RANGE, prosody.pitch_range),
        ):
            _check("espeak_SetParameter", library.espeak_SetParameter(parameter, value, 0))
        spoken = text.encode()
        status = library.espeak_Synth(
            spoken,
            ctypes.c_size_t(len(spoken) + 1),
            0,  # start
            _POSITION_IS_CHARACTER,
            0,  # no end position
            _CHARS_UTF8,
            None,
            None,
        )
        _check("espeak_Synth", status)
        library.espeak_Terminate()
    finally:
        _ctypes.dlclose(library._handle)
    samples = _resample(np.frombuffer(b"".join(chunks), dtype=np.int16), espeak_rate_hz)
    return _in_a_room(samples, np.random.default_rng(zlib.crc32(f"{voice} {text}".encode())))


@cache
def _variants() -> frozenset[str]:
    """Names of the voices; eSpeak itself would silently speak an unknown one in its plain voice."""
    folder = Path(espeakng_loader.get_data_path()) / "voices" / "!v"
    return frozenset(path.name for path in folder.iterdir())


def _check(function: str, status: int) -> None:
    if status != 0:
        raise RuntimeError(f"{function}: status {status}; expected 0")


def _resample(samples: NDArray[np.int16], rate_hz: int) -> Floats:
    audible = np.flatnonzero(np.abs(samples.astype(np.int32)) > _SILENCE_PEAK)
    if not audible.size:
        raise RuntimeError("espeak_Synth: only silence came back; expected speech")
    voiced = samples[audible[0] : audible[-1] + 1].astype(np.float32)
    return np.asarray(soxr.resample(voiced, rate_hz, SAMPLE_RATE_HZ), dtype=np.float32)


def _in_a_room(samples: Floats, rng: np.random.Generator) -> NDArray[np.int16]:
    """Adds the noise of a quiet room: the log of a synthesiser's digital silence is no speech."""
    noisy = samples + rng.normal(0.0, _ROOM_NOISE_RMS, len(samples))
    limits = np.iinfo(np.int16)
    return np.clip(np.rint(noisy), limits.min, limits.max).astype(np.int16)
