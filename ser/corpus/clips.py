"""Audio that no file of the corpus holds as such (pieces, pipes, films) -> mono audio files."""

import hashlib
import io
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import soundfile
from tqdm import tqdm

from ser.base.errors import SerError
from ser.base.files import whole_folder
from ser.base.log import logger
from ser.base.record import Record
from ser.corpus.pipes import is_pipe, output_of
from ser.kaldi.audio import is_audio, reason_of, require_file
from ser.kaldi.films import decode_film

MAX_OVERSHOOT_S = 0.5  # how far a piece may end beyond its recording, as Kaldi's extract-segments
ROUNDING_S = 1e-3  # what is not worth a word
# A WAV file of floating point holds the time, and would be another one each time.
FORMATS = {".flac": "PCM_24", ".au": "FLOAT"}
MAX_STEM_BYTES = 250  # of a file's name of at most 255


@dataclass(frozen=True)
class Clip:
    """Where the audio of an utterance is.

    Attributes:
        source: An audio file, a film, or a command that ends in ``|`` and writes audio.
        start: Seconds.
        end: Seconds; None for all of the source.
    """

    source: str
    start: float = 0.0
    end: float | None = None


def write_clips(clips: Mapping[str, Clip], out: Path, allow_pipes: bool) -> dict[str, Path]:
    """Writes an audio file for each utterance, its channels averaged.

    It is FLAC of 24 bits, but AU of floating point where samples are beyond +-1: none is clipped.
    Files that are there of the same clips are kept, unless a source has another size or time than
    it had then. What a command reads is not known: its clips are kept while it reads the same.

    Args:
        clips: By utterance.
        out: The folder of the files.
        allow_pipes: Whether commands may be run.

    Returns:
        The file of each utterance.

    Raises:
        SerError: A command is not allowed, fails or needs a shell, a source is missing or no audio,
            a piece is not in its source, or the folder holds something else.
    """
    by_source: dict[str, list[str]] = defaultdict(list)
    for utt, clip in clips.items():
        by_source[clip.source].append(utt)
    pipe = next(filter(is_pipe, by_source), None)
    if pipe and not allow_pipes:
        raise SerError(
            f"wav.scp: a command, '{pipe}'; commands are run only where that is allowed; read "
            "them, then pass --allow-pipes"
        )
    config = {
        "formats": FORMATS,
        "clips": {utt: asdict(clip) for utt, clip in clips.items()},
        "sources": {source: _version(source, utts[0]) for source, utts in by_source.items()},
    }
    record = Record(out, 0, config, {})
    if not record.is_finished():
        overshoots: dict[str, float] = {}
        with whole_folder(out) as folder:
            for source, utts in tqdm(by_source.items(), desc=str(out), unit="file", disable=None):
                samples, rate = _decode(source, utts[0])
                for utt in utts:
                    piece, overshoots[utt] = _cut(samples, rate, clips[utt], utt)
                    suffix = ".flac" if (np.abs(piece) <= 1).all() else ".au"
                    path = folder / f"{_stem(utt)}{suffix}"
                    soundfile.write(path, piece, rate, FORMATS[suffix])
            Record(folder, record.stage, record.config, record.inputs).finish()
        _tell(overshoots)
    loud = {path.stem: path for path in out.absolute().glob("*.au")}
    return {utt: loud.get(_stem(utt), out.absolute() / f"{_stem(utt)}.flac") for utt in clips}


def _version(source: str, utt: str) -> str:
    """What tells a file from one that takes its place; nothing does for what a command writes."""
    if is_pipe(source):
        return "unknown"
    require_file(Path(source), utt)
    status = Path(source).stat()
    return f"{status.st_size} bytes, {status.st_mtime_ns} ns"


def _stem(utt: str) -> str:
    """The name of an utterance's file without its extension."""
    stem = quote(utt, safe="")
    if len(stem) > MAX_STEM_BYTES:  # what is quoted is ASCII
        stem = hashlib.sha256(utt.encode()).hexdigest()
    return stem


def _decode(source: str, utt: str) -> tuple[Any, int]:
    """Samples (N,) of a source, +-1, its channels averaged, and their rate in Hz."""
    if not is_pipe(source) and not is_audio(Path(source)):
        return decode_film(Path(source), source)
    output = output_of(source) if is_pipe(source) else None
    try:
        stream = source if output is None else io.BytesIO(output)
        samples, rate = soundfile.read(stream, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError) as error:
        what = "not readable as audio" if output is None else f"wrote {len(output)} bytes, no audio"
        raise SerError(
            f"{source}: {what} ({utt}; {reason_of(error)}); mend or remove it"
        ) from error
    if not np.isfinite(samples).all():
        raise SerError(
            f"{source}: samples that are not finite ({utt}); expected numbers; replace the file"
        )
    return samples.mean(axis=1), int(rate)


def _cut(samples: Any, rate: int, clip: Clip, utt: str) -> tuple[Any, float]:
    """The piece, and the seconds by which it should have ended beyond its source."""
    seconds = len(samples) / rate
    end = seconds if clip.end is None else clip.end
    piece = samples[round(clip.start * rate) : round(end * rate)] if 0 <= clip.start < end else []
    if end > seconds + MAX_OVERSHOOT_S or not len(piece):
        raise SerError(
            f"{clip.source}: the piece from {clip.start} to {end} s ({utt}) of {seconds:.2f} s at "
            f"{rate} Hz has {len(piece)} samples; expected some, and an end at most "
            f"{MAX_OVERSHOOT_S} s beyond the recording's; mend its start and end"
        )
    return piece, end - seconds


def _tell(overshoots: Mapping[str, float]) -> None:
    late = [utt for utt, seconds in overshoots.items() if seconds > ROUNDING_S]
    if late:
        logger.warning(
            "warning: %s pieces (%s the first) end up to %.3f s beyond their recordings; cut there",
            len(late),
            late[0],
            max(overshoots.values()),
        )
