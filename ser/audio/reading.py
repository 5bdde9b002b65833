"""Audio of any format, rate and channel count as 16-bit-scaled mono samples."""

import os
import stat
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
import soundfile
import soxr
from tqdm import tqdm

from ser.audio.chained import require_single
from ser.audio.truncation import (
    FORMATS,
    LOST_SECONDS,
    UNKNOWN_FRAMES,
    check_decoded,
    decoded_seconds,
    seconds_to_end,
    truncated_error,
    without_length,
)
from ser.base.arrays import Floats
from ser.base.errors import Faults, SerError
from ser.base.files import require_fetched
from ser.base.log import logger
from ser.kaldi.table import Table

Value = TypeVar("Value")

INT16_SCALE = 32768.0
RATES_HZ = 1000, 1_000_000  # of audio
FRAME_SECONDS = 0.025  # of features; less is no audio to speak of
LONG_SECONDS = 60.0  # of a turn; Whisper hears 30
# soundfile's names of formats, and what else their files are called.
EXTENSIONS = {f".{name.lower()}" for name in FORMATS} | {
    *(".aif", ".aifc", ".oga", ".opus", ".snd", ".sph")
}
OTHER_EXTENSIONS = {f".{name.lower()}" for name in soundfile.available_formats()} - EXTENSIONS
OTHER_EXTENSIONS -= {".raw"}  # without a header nothing is known of it
# TypeError: soundfile asks for the rate of a .raw file. MemoryError: a length that is not there.
UNREADABLE = (soundfile.SoundFileError, OSError, TypeError, MemoryError)


def require_file(path: Path, utt: str) -> None:
    """Checks that a path is a readable regular file: reading a pipe might never end.

    Raises:
        SerError: It is not.
    """
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
        if regular:
            path.open("rb").close()  # soundfile does not distinguish permission from damage
    except PermissionError as error:
        raise SerError(
            f"{path}: no permission to read it ({utt}); expected a file that you may read; change "
            "its permissions, or those of its folder"
        ) from error
    except ValueError as error:  # a NUL, which no name can hold
        raise SerError(
            f"{ascii(str(path))[1:-1]}: {error} ({utt}); expected the path of audio; correct it"
        ) from error
    except OSError as error:
        missing = isinstance(error, FileNotFoundError | NotADirectoryError)
        seen = "" if path.is_absolute() else f", seen from {Path.cwd()}"
        reason = f"no such file{seen}" if missing else error.strerror
        raise SerError(
            f"{path}: {reason} ({utt}); expected audio; check the corpus path"
        ) from error
    if not regular:
        raise SerError(f"{path}: no regular file ({utt}); expected an audio file; name another")


def require_rate(rate: float, name: str, utt: str) -> None:
    """Checks that a rate is one of audio: at 1 Hz a second of file is hours of samples.

    Raises:
        SerError: It lies outside.
    """
    least, most = RATES_HZ
    if not least <= rate <= most:
        raise SerError(
            f"{name}: {rate} Hz ({utt}); expected {least} to {most} Hz; replace the file"
        )


def is_audio(path: Path) -> bool:
    """Whether soundfile reads a file: by its extension, else by trying."""
    if path.suffix.lower() in EXTENSIONS:
        return True
    try:
        soundfile.info(os.fsencode(path))
    except UNREADABLE:
        return False
    return True


def audio_seconds(path: Path, utt: str) -> float:
    """Length of an audio file by its header, where its last bytes are there.

    Raises:
        SerError: The file is missing, unreadable or cut.
    """
    require_file(path, utt)
    try:
        info = soundfile.info(os.fsencode(path))
        require_rate(info.samplerate, str(path), utt)
        with path.open("rb") as stream:
            return seconds_to_end(stream, info, str(path), utt)
    except UNREADABLE as error:
        raise unreadable(path, utt, error) from error


def of_each_file(
    read: Callable[[Path, str], Value], wavs: Mapping[str, Path], what: str
) -> dict[str, Value]:
    """What a function makes of the file of each utterance, four files at a time.

    Args:
        read: Of a file and its utterance.
        wavs: The files.
        what: It makes, for the progress.

    Raises:
        SerError: It refuses files; all are listed.
    """
    faults, pool = Faults(), ThreadPoolExecutor(4)
    found = {}
    try:
        tasks = {utt: pool.submit(read, wav, utt) for utt, wav in wavs.items()}
        for utt, task in tqdm(tasks.items(), desc=what, unit="utt", disable=None):
            with faults.noted():
                found[utt] = task.result()
    finally:
        pool.shutdown(cancel_futures=True)  # Ctrl-C does not wait for the others
    faults.raise_any()
    return found


def _duration(path: Path, utt: str) -> str:
    seconds = f"{audio_seconds(path, utt):.4f}"
    if not float(seconds) > 0:
        raise SerError(
            f"{path}: holds {seconds} s of audio ({utt}); expected more than 0; remove or replace "
            "the file"
        )
    return seconds


def measure_durations(wavs: Mapping[str, Path]) -> Table:
    """Seconds of each utterance, by the headers of its audio.

    Raises:
        SerError: Audio files are missing, unreadable, truncated or empty; all are listed.
    """
    table = of_each_file(_duration, wavs, "durations")
    short = [utt for utt, value in table.items() if float(value) < FRAME_SECONDS]
    if short:
        logger.warning(
            "%s utterances shorter than %g ms, %s the first; a frame does not fit in them",
            len(short),
            1000 * FRAME_SECONDS,
            short[0],
        )
    if long := [utt for utt, value in table.items() if float(value) > LONG_SECONDS]:
        longest = max(long, key=lambda utt: float(table[utt]))
        logger.warning(
            "%s utterances longer than %g s, %s the longest with %s s: the time that an encoder "
            "takes grows by the square; cut them (start and end in a table, or segments)",
            *(len(long), LONG_SECONDS, longest, table[longest]),
        )
    return table


def read_audio(path: Path, utt: str, sample_rate_hz: int, speed_factor: float = 1.0) -> Floats:
    """Reads an audio file, averages its channels and resamples it (soxr, high quality).

    Args:
        path: The file.
        utt: The utterance, for messages.
        sample_rate_hz: The rate of the samples that are returned.
        speed_factor: Plays it so much faster, shorter and higher, as ``sox speed`` does.

    Returns:
        Samples (N,) in Kaldi's 16-bit scale, +-32768.

    Raises:
        SerError: The file is missing, unreadable, cut, empty, or holds values that are not finite.
    """
    mono, rate = read_mono(path, utt)
    if not len(mono):
        raise SerError(f"{path}: 0 samples ({utt}); expected audio; remove or replace the file")
    played_hz = rate * speed_factor
    if played_hz != sample_rate_hz:
        mono = soxr.resample(mono, played_hz, sample_rate_hz)
    return np.asarray(mono * INT16_SCALE, dtype=np.float32)


def read_mono(path: Path, utt: str) -> tuple[Floats, int]:
    """Reads an audio file and averages its channels: samples (N,) +-1, and their rate in Hz.

    Raises:
        SerError: The file is missing, unreadable, cut, or holds values that are not finite.
    """
    try:
        samples, rate = read_samples(path, str(path), utt)
    except UNREADABLE as error:
        raise unreadable(path, utt, error) from error
    require_finite(samples, str(path), utt)
    return samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1), rate


def require_finite(samples: Floats, name: str, utt: str) -> None:
    """Refuses samples of which some are infinite or no numbers.

    Raises:
        SerError: Some are.
    """
    wrong = int(np.count_nonzero(~np.isfinite(samples)))
    if wrong:
        raise SerError(
            f"{name}: {wrong} of {samples.size} samples are not finite ({utt}); expected numbers; "
            "replace the file"
        )


def read_samples(source: Path | BinaryIO, name: str, utt: str) -> tuple[Floats, int]:
    """All samples (N, channels) of a file +-1, and their rate in Hz.

    Args:
        source: The file, or one that is open.
        name: What it is called in messages.
        utt: The utterance, for messages.

    Raises:
        TruncatedError: It is truncated.
        SerError: More audio follows than is decoded.
        soundfile.SoundFileError: It cannot be decoded.
    """
    place = os.fsencode(source) if isinstance(source, Path) else source
    with soundfile.SoundFile(place) as file:
        if file.frames >= UNKNOWN_FRAMES:
            raise without_length(name, utt)
        require_rate(file.samplerate, name, utt)
        # The length is given, since GSM and G.721 cannot be searched for theirs.
        samples = file.read(file.frames, dtype="float32", always_2d=True)
        with source.open("rb") if isinstance(source, Path) else nullcontext(source) as stream:
            check_decoded(stream, file, len(samples), name, utt)
            require_single(stream, file, name, utt)
        return samples, int(file.samplerate)


def unreadable(path: Path, utt: str, error: Exception) -> SerError:
    """The error for an audio file that soundfile cannot read.

    Raises:
        SerError: It is no regular file, or may not be read at all.
    """
    require_file(path, utt)
    if isinstance(error, TypeError):
        return SerError(
            f"{path}: samples without a header ({utt}); expected a file with its sample rate; "
            "convert it to .wav"
        )
    require_fetched(path)
    with path.open("rb") as stream:
        if seconds := decoded_seconds(stream):
            announced = soundfile.info(os.fsencode(path)).duration
            if isinstance(error, MemoryError) and seconds >= announced - LOST_SECONDS:
                return SerError(
                    f"{path}: {seconds / 3600:.1f} h do not fit into memory ({utt}); expected a "
                    "shorter file; cut it"
                )
            return truncated_error(str(path), utt, seconds, announced)
    reason = soundfile_reason(error)
    return SerError(f"{path}: not readable as audio ({utt}; {reason}); replace the file")


def soundfile_reason(error: Exception) -> str:
    """What soundfile says of audio that it cannot read, without the name that it puts in front."""
    reason = str(error).splitlines()[0].rpartition(": ")[2]
    # What libsndfile says of a file that is no MP3, though its name ends so.
    return "another format than its name says" if "does not exist" in reason else reason
