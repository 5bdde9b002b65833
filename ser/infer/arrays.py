"""Audio that comes as an array, or as the bytes of a file."""

import io
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np
import numpy.typing as npt

from ser.audio.containers import decode_container, has_pyav
from ser.audio.reading import INT16_SCALE, RATES_HZ, UNREADABLE, read_samples, soundfile_reason
from ser.audio.truncation import (
    NO_LAST_PAGE,
    PAGE,
    decoded_seconds,
    lacks_last_page,
    truncated_error,
)
from ser.base.arrays import Floats
from ser.base.errors import SerError, reason_of, shortened
from ser.base.options import shown
from ser.infer.recordings import READ_SECONDS, AudioFile, resampled

MAX_CHANNELS = 64  # more are samples of an array that lies the other way round


@dataclass(frozen=True)
class Recording:
    """A recording that came as an array.

    Attributes:
        array: Samples (N,) or (N, channels), floats within +-1 or 16-bit integers.
        rate: Hz.
    """

    array: npt.NDArray[Any]
    rate: int
    path: ClassVar[str] = ""

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.array) / self.rate

    def whole(self, sample_rate_hz: int) -> Floats:
        """Mono samples in 16-bit scale.

        Raises:
            SerError: Samples are not finite, or less than one is left at this rate.
        """
        return np.concatenate(list(self.stream(sample_rate_hz)))

    def stream(self, sample_rate_hz: int) -> Iterator[Floats]:
        """The same piece by piece, as a file is read.

        Raises:
            SerError: As of ``whole``; of the length after the last piece.
        """
        size = int(self.rate * READ_SECONDS) or 1
        starts = range(0, len(self.array), size)
        blocks = (_block(self.array[start : start + size]) for start in starts)
        num_samples = 0
        for block in resampled(blocks, self.rate, sample_rate_hz):
            num_samples += len(block)
            yield block
        if not num_samples:
            raise SerError(
                f"audio of shape {self.array.shape}: 0 samples at {sample_rate_hz} Hz; expected "
                "some; give a longer array"
            )


def recording(audio: npt.NDArray[Any], sample_rate: float | None) -> Recording:
    """An array and its rate, if they can be audio.

    Args:
        audio: Samples (N,) or (N, channels): floats within +-1, or 16-bit integers.
        sample_rate: Hz, a whole number.

    Raises:
        SerError: They cannot be.
    """
    if (
        not isinstance(sample_rate, Real)
        or not RATES_HZ[0] <= sample_rate <= RATES_HZ[1]
        or sample_rate != int(sample_rate)
    ):
        raise SerError(
            f"sample_rate {shown(sample_rate)}: expected Hz, a whole number, {RATES_HZ[0]} to "
            f"{RATES_HZ[1]}; pass it with an array"
        )
    try:
        array = _unmasked(audio)
    except (RuntimeError, TypeError, ValueError) as error:  # a tensor with a gradient, on a GPU
        raise SerError(
            f"audio: no array of samples ({reason_of(error)}); pass one, of a tensor as "
            "tensor.detach().cpu().numpy()"
        ) from error
    if array.dtype != np.int16 and array.dtype.kind != "f":
        raise SerError(f"audio of {array.dtype}: expected floats within +-1 or int16; convert it")
    if array.ndim not in (1, 2) or not array.size:
        raise SerError(f"audio of shape {array.shape}: expected (N,) or (N, channels)")
    if array.ndim == 2 and array.shape[1] > min(MAX_CHANNELS, len(array)):
        raise SerError(
            f"audio of shape {array.shape}: {array.shape[1]} channels of {len(array)} samples; "
            f"expected (N, channels), {MAX_CHANNELS} channels at most; transpose the array"
        )
    return Recording(array, int(sample_rate))


def read_stream(stream: BinaryIO) -> Recording:
    """The audio of an open file, of any format that a path may have.

    Raises:
        SerError: It holds none that can be read, or was cut.
    """
    try:
        held = io.BytesIO(stream.read())
    except (OSError, TypeError, ValueError) as error:  # closed, or of text
        raise SerError(
            f"audio: {shortened(ascii(stream))} cannot be read ({reason_of(error)}); expected a "
            "file that is open for bytes (rb)"
        ) from error
    name = f"audio of {held.getbuffer().nbytes} bytes"
    try:
        samples, rate = read_samples(held, name, "upload")
    except UNREADABLE as error:
        if not has_pyav() or not held.getbuffer().nbytes:
            raise SerError(
                f"{name}: not readable ({soundfile_reason(error)}); expected the bytes of "
                "an audio file; raw samples are given as an array with sample_rate"
            ) from error
        if bytes(held.getbuffer()[: len(PAGE)]) == PAGE and lacks_last_page(held):
            raise truncated_error(
                name, "upload", decoded_seconds(held), None, NO_LAST_PAGE
            ) from error
        held.seek(0)
        samples, rate = decode_container(held, name)
    return recording(samples, rate)


def _unmasked(audio: Any) -> npt.NDArray[Any]:
    """An array of what may be one.

    Raises:
        ValueError: Some of its samples are masked.
    """
    if np.ma.is_masked(audio):
        raise ValueError("some samples are masked")
    return np.asarray(audio)


def _block(array: npt.NDArray[Any]) -> Floats:
    """Samples within +-1."""
    scale = INT16_SCALE if array.dtype == np.int16 else 1.0
    block = np.divide(array, scale, dtype=np.float32, casting="same_kind")
    if not np.isfinite(block).all():
        raise SerError("audio: samples that are not finite; expected numbers")
    return np.asarray(block, np.float32)


def is_whole(audio: Any) -> bool:
    """Whether something is a recording, no pieces of one: an array of any library, a list too."""
    if isinstance(audio, str | os.PathLike | bytes | bytearray):
        return True
    is_list = isinstance(audio, list | tuple) and len(audio) > 0 and isinstance(audio[0], Real)
    return is_list or hasattr(audio, "__array__") or hasattr(audio, "read")


def given_pieces(pieces: Any) -> Iterator[Floats]:
    """Pieces of mono samples, (N,) or (N, 1), in 16-bit scale, each as it is asked for.

    Raises:
        SerError: They are none.
    """
    if isinstance(pieces, str | Mapping) or not isinstance(pieces, Iterable):
        raise SerError(
            f"audio: {shortened(ascii(pieces))}; expected a path, bytes, an open file, an array or "
            "pieces of samples"
        )
    for piece in pieces:
        try:
            array = _unmasked(piece)
        except (RuntimeError, TypeError, ValueError) as error:  # ragged, a tensor with a gradient
            raise SerError(f"audio: a piece that is no array ({reason_of(error)})") from error
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        if array.ndim != 1 or not _is_of_16_bits(array):
            raise SerError(
                f"audio: a piece of {array.dtype} and shape {array.shape}; expected mono samples "
                "(N,) in 16-bit scale"
            )
        yield np.array(array, np.float32)  # a copy: who gives pieces may fill one array again


def _is_of_16_bits(array: npt.NDArray[Any]) -> bool:
    """Whether samples can be meant in 16-bit scale; those of 32 bits go beyond it."""
    if array.dtype.kind == "i" and array.itemsize > 1:
        return bool(array.max(initial=0) < INT16_SCALE and array.min(initial=0) >= -INT16_SCALE)
    return array.dtype.kind == "f"


def given_audio(audio: Any, sample_rate: int | None) -> AudioFile | Recording:
    """What a user calls a recording: a path, bytes, an open file, or an array.

    Args:
        audio: It.
        sample_rate: Hz, of an array alone.

    Raises:
        SerError: It is no audio, or the rate is given beside another than an array, or not.
    """
    if isinstance(audio, str | os.PathLike):
        refuse_rate(sample_rate, "a file, which has its own")
        return AudioFile(os.fspath(audio))
    if isinstance(audio, bytes | bytearray):
        audio = io.BytesIO(audio)
    if hasattr(audio, "read"):
        refuse_rate(sample_rate, "the bytes of a file, which have their own")
        return read_stream(audio)
    if isinstance(audio, list | tuple) and any(isinstance(one, str | Path) for one in audio):
        raise SerError(
            f"a {type(audio).__name__} of {len(audio)} paths; expected one; predict_files takes "
            "several"
        )
    return recording(audio, sample_rate)


def refuse_rate(sample_rate: float | None, of: str) -> None:
    """Checks that a sampling rate is given with an array, and with an array alone.

    Raises:
        SerError: It is given.
    """
    if sample_rate is not None:
        raise SerError(f"sample_rate {sample_rate}: beside {of}; expected it with an array alone")
