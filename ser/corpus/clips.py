"""Audio that no file of the corpus holds as such (pieces, pipes, films) -> FLAC files.

A pipe of a ``wav.scp`` is run only where the user allows it, and never by a shell: its commands are
started as they are, each reading what the one before it writes.
"""

import io
import shlex
import subprocess
import tempfile
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
from ser.base.record import Record
from ser.kaldi.audio import EXTENSIONS

PIPE = "|"
NOT_RUN = set("&;<>()")  # what only a shell understands
EXPANDED = set("$`")  # what a shell would replace


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


def is_pipe(source: str) -> bool:
    """Whether an entry of ``wav.scp`` is a command."""
    return source.rstrip().endswith(PIPE)


def write_clips(clips: Mapping[str, Clip], out: Path, allow_pipes: bool) -> dict[str, Path]:
    """Writes a FLAC file for each utterance; files that are there of the same clips are kept.

    Args:
        clips: By utterance.
        out: The folder of the files.
        allow_pipes: Whether commands may be run.

    Returns:
        The file of each utterance.

    Raises:
        SerError: A command is not allowed, fails or needs a shell, a source is no audio, or a
            piece is not in its source.
    """
    pipe = next((clip.source for clip in clips.values() if is_pipe(clip.source)), None)
    if pipe and not allow_pipes:
        raise SerError(
            f"wav.scp: a command, '{pipe}'; commands are run only where that is allowed; read "
            "them, then pass --allow-pipes"
        )
    record = Record(out, 0, {"clips": {utt: asdict(clip) for utt, clip in clips.items()}}, {})
    names = {utt: f"{quote(utt, safe='')}.flac" for utt in clips}
    if not record.is_finished():
        by_source: dict[str, list[str]] = defaultdict(list)
        for utt, clip in clips.items():
            by_source[clip.source].append(utt)
        with whole_folder(out) as folder:
            for source, utts in tqdm(by_source.items(), desc=str(out), unit="file", disable=None):
                samples, rate = _decode(source)
                for utt in utts:
                    piece = _cut(samples, rate, clips[utt], utt)
                    soundfile.write(folder / names[utt], piece, rate, subtype="PCM_24")
            Record(folder, record.stage, record.config, record.inputs).finish()
    return {utt: out.absolute() / name for utt, name in names.items()}


def _decode(source: str) -> tuple[Any, int]:
    """Samples (N, channels) of a source, +-1, and their rate in Hz."""
    if not is_pipe(source) and Path(source).suffix.lower() not in EXTENSIONS:
        return _decode_film(Path(source))
    stream = io.BytesIO(_run(source)) if is_pipe(source) else source
    try:
        samples, rate = soundfile.read(stream, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise SerError(f"{source}: not readable as audio ({reason}); mend or remove it") from error
    return samples, int(rate)


def _cut(samples: Any, rate: int, clip: Clip, utt: str) -> Any:
    end = len(samples) / rate if clip.end is None else clip.end
    if not 0 <= clip.start < end or round(clip.start * rate) >= len(samples):
        raise SerError(
            f"{clip.source}: the piece from {clip.start} to {end} s ({utt}) of "
            f"{len(samples) / rate:.2f} s; expected a piece of the recording; mend segments"
        )
    return samples[round(clip.start * rate) : round(end * rate)]


def _run(source: str) -> bytes:
    """What the last of the commands between ``|`` writes."""
    commands = _commands(source)
    processes: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryFile() as complaints:
        try:
            for words in commands:
                before = processes[-1].stdout if processes else subprocess.DEVNULL
                processes.append(
                    subprocess.Popen(words, stdin=before, stdout=subprocess.PIPE, stderr=complaints)
                )
                if not isinstance(before, int) and before is not None:
                    before.close()  # the next command alone reads it
        except OSError as error:
            for process in processes:
                process.kill()
            raise SerError(f"wav.scp: '{source}': {error.filename}: {error.strerror}") from error
        output = processes[-1].communicate()[0]
        failed = [process for process in processes if process.wait()]
        if failed:
            complaints.seek(0)
            lines = complaints.read().decode(errors="replace").splitlines()
            raise SerError(
                f"wav.scp: '{source}' ended with status {failed[0].returncode}"
                f"{': ' + lines[-1] if lines else ''}; expected audio; mend the command"
            )
    return output


def _commands(source: str) -> list[list[str]]:
    lexer = shlex.shlex(source, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError as error:
        raise SerError(f"wav.scp: '{source}': {error}; mend the command") from error
    shell = next((w for w in words if set(w) & EXPANDED or set(w) <= NOT_RUN), None)
    commands: list[list[str]] = [[]]
    for word in words:
        if word == PIPE:
            commands.append([])
        else:
            commands[-1].append(word)
    if shell or commands.pop() or not all(commands):
        raise SerError(
            f"wav.scp: '{source}': {f'{shell} needs a shell' if shell else 'an empty command'}; "
            "expected commands parted by | alone; put the rest into a script of your own"
        )
    return commands


def _decode_film(path: Path) -> tuple[Any, int]:
    """The first sound track of a film, mono."""
    try:
        import av  # of the extra "films"; nothing else needs it
    except ImportError as error:
        raise SerError(
            f"{path}: no audio format of soundfile's; PyAV reads it; install it (pip install av), "
            "or convert the files to WAV"
        ) from error
    try:
        with av.open(str(path)) as container:
            track = container.streams.audio[0]
            resampler = av.AudioResampler(format="flt", layout="mono", rate=track.rate)
            frames = [
                frame.to_ndarray()[0]
                for decoded in (*container.decode(track), None)
                for frame in resampler.resample(decoded)
            ]
            rate = int(track.rate)
    except (av.FFmpegError, IndexError, OSError) as error:
        raise SerError(f"{path}: no sound to read ({error}); replace or remove it") from error
    return np.concatenate(frames)[:, None], rate
