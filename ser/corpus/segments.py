"""Audio that no file of the corpus holds as such (pieces, pipes, videos) -> mono audio files."""

import hashlib
import io
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from tqdm import tqdm

from ser.audio.audio_ark import place_in_ark
from ser.audio.containers import NoSoundError, decode_container, has_pyav, without_pyav
from ser.audio.reading import (
    UNREADABLE,
    is_audio,
    read_mono,
    read_samples,
    require_file,
    require_finite,
    soundfile_reason,
)
from ser.audio.writing import write_audio
from ser.base.errors import Faults, SerError
from ser.base.files import digest_json
from ser.base.log import logger
from ser.base.record import Record, Stage, earlier_record
from ser.base.writing import atomic_folder, require_replaceable, sole_run
from ser.corpus.pipes import is_pipe, output_of

MAX_OVERSHOOT_S = 0.5  # how far a piece may end beyond its recording, as Kaldi's extract-segments
ROUNDING_S = 1e-3  # what is not worth a word
# A WAV file of floating point holds the time, and would be another one each time.
FORMATS = {".flac": "PCM_24", ".au": "FLOAT"}
MAX_FLAC_HZ = 655350
MAX_STEM_BYTES = 250  # of a file's name of at most 255


@dataclass(frozen=True)
class Clip:
    """Where the audio of an utterance is.

    Attributes:
        source: An audio file, a video, ``<ark>:<offset>`` of audio in an archive, or a command that
            ends in ``|`` and writes audio.
        start: Seconds.
        end: Seconds; None for all of the source.
    """

    source: str
    start: float = 0.0
    end: float | None = None


@dataclass(frozen=True)
class Written:
    """What became of some clips.

    Attributes:
        files: The file of each utterance.
        soundless: Utterances whose videos have no sound, with the reasons.
    """

    files: dict[str, Path]
    soundless: dict[str, str]


def write_clips(clips: Mapping[str, Clip], out: Path, allow_pipes: bool) -> Written:
    """Writes an audio file for each utterance, its channels averaged.

    It is FLAC of 24 bits, but AU of floating point where samples are beyond +-1: none is clipped.
    A file that is there of the same clip is kept, unless its source has another size or time than
    it had then. What a command reads is not known: its clips are kept while it reads the same. A
    call that fails or is killed loses no clip that it has made: the next one begins with these.

    Args:
        clips: By utterance.
        out: The folder of the files.
        allow_pipes: Whether commands may be run.

    Raises:
        SerError: A command is not allowed, fails or needs a shell, a source is missing or no audio,
            a piece is not in its source, most videos have no sound, or the folder holds something
            else. All that is wrong with sources is listed at once.
    """
    require_replaceable(out)
    by_source: dict[str, list[str]] = defaultdict(list)
    for utt, clip in clips.items():
        by_source[clip.source].append(utt)
    pipe = next(filter(is_pipe, by_source), None)
    if pipe and not allow_pipes:
        raise SerError(
            f"wav.scp: a command, '{pipe}'; commands are run only where that is allowed; read "
            "them, then pass --allow-pipes"
        )
    versions = _versions({source: utts[0] for source, utts in by_source.items()})
    wanted = {utt: asdict(clip) | {"version": versions[clip.source]} for utt, clip in clips.items()}
    record = Record(out, Stage.DATA, {"formats": FORMATS, "clips": wanted}, {})
    files = _files(out, wanted)
    if record.is_finished() and all(path.is_file() for path in files.values()):
        return Written(files, {})
    videos = {source for source in by_source if _needs_pyav(source)}
    if videos and not has_pyav():
        raise without_pyav(min(videos))
    made = out.with_name(f".{out.name}.made")  # so far, named by clip and time of the source
    with sole_run(made):
        return _write_clips(clips, by_source, wanted, out, made)


def _write_clips(
    clips: Mapping[str, Clip],
    by_source: Mapping[str, Sequence[str]],
    wanted: Mapping[str, Mapping[str, Any]],
    out: Path,
    made: Path,
) -> Written:
    """Makes what is lacking, and puts all into the folder at once."""
    found = _already(out, made, wanted)
    faults: dict[str, SerError] = {}
    overshoots: dict[str, float] = {}
    for source, utts in tqdm(by_source.items(), desc=str(out), unit="file", disable=None):
        lacking = {utt: clips[utt] for utt in utts if utt not in found}
        for utt, piece, rate in _pieces(source, lacking, faults, overshoots):
            found[utt] = _write(piece, rate, made / digest_json(wanted[utt]))
    silent = [utt for utt, error in faults.items() if isinstance(error, NoSoundError)]
    soundless = dict.fromkeys(silent, "a video without sound")
    Faults(str(error) for utt, error in faults.items() if utt not in soundless).raise_any()
    if len(soundless) > len(clips) / 2:
        Faults(map(str, faults.values())).raise_any()
    kept = {utt: entry for utt, entry in wanted.items() if utt in found}
    with atomic_folder(out, stage=Stage.DATA) as folder:
        for utt, path in found.items():
            _link(path, folder / f"{_stem(utt)}{path.suffix}")
        # Every later stage asks for this record: it would read all audio each time, where the data
        # directory has the digests of the audio already. A lost file is made anew all the same.
        Record(folder, Stage.DATA, {"formats": FORMATS, "clips": kept}, {}).finish(outputs=())
    shutil.rmtree(made, ignore_errors=True)
    _tell(overshoots)
    return Written(_files(out, kept), soundless)


def _pieces(
    source: str,
    clips: Mapping[str, Clip],
    faults: dict[str, SerError],
    overshoots: dict[str, float],
) -> Iterator[tuple[str, Any, int]]:
    """Utterance, samples and rate of each clip of a source; what fails is noted in ``faults``."""
    if not clips:
        return
    try:
        samples, rate = _decode(source, next(iter(clips)))
    except SerError as error:
        faults |= dict.fromkeys(clips, error)
        return
    for utt, clip in clips.items():
        try:
            piece, overshoots[utt] = _cut(samples, rate, clip, utt)
        except SerError as error:
            faults[utt] = error
        else:
            yield utt, piece, rate


def _files(out: Path, utts: Iterable[str]) -> dict[str, Path]:
    """The file of each utterance in a finished folder."""
    loud = {path.stem: path for path in out.absolute().glob("*.au")}
    return {utt: loud.get(_stem(utt), out.absolute() / f"{_stem(utt)}.flac") for utt in utts}


def _already(out: Path, made: Path, wanted: Mapping[str, Mapping[str, Any]]) -> dict[str, Path]:
    """The files of the same clips that an earlier call made, finished or not."""
    made.mkdir(parents=True, exist_ok=True)
    begun = {path.stem: path for path in made.iterdir() if path.suffix in FORMATS}
    found = {utt: begun[digest_json(e)] for utt, e in wanted.items() if digest_json(e) in begun}
    if record := earlier_record(out):
        before = record["config"].get("clips", {})
        same = [utt for utt, entry in wanted.items() if before.get(utt) == entry]
        found |= {utt: path for utt, path in _files(out, same).items() if path.exists()}
    return found


def _write(piece: Any, rate: int, place: Path) -> Path:
    """Writes a clip in the format that can hold it, which its suffix says."""
    suffix = ".flac" if (np.abs(piece) <= 1).all() and rate <= MAX_FLAC_HZ else ".au"
    path = place.with_name(f"{place.name}{suffix}")
    write_audio(path, piece, rate, FORMATS[suffix])
    return path


def _link(path: Path, new: Path) -> None:
    """The same file under another name, without a copy where the file system can."""
    try:
        new.hardlink_to(path)
    except OSError:
        shutil.copyfile(path, new)


def _needs_pyav(source: str) -> bool:
    """Whether PyAV is to read a source: no command, no place in an archive, no audio file."""
    return not (is_pipe(source) or place_in_ark(source) or is_audio(Path(source)))


def _versions(utt_of: Mapping[str, str]) -> dict[str, str]:
    """The identity of each source, to notice another in its place, given an utterance of each.

    Raises:
        SerError: Files are missing, or entries mean no piece of an archive.
    """
    faults = Faults()
    versions = {}
    for source, utt in utt_of.items():
        with faults.noted():
            versions[source] = _version(source, utt)
    faults.raise_any()
    return versions


def _version(source: str, utt: str) -> str:
    """The identity of a file, to notice another in its place; that of a command is unknown."""
    if is_pipe(source):
        return "unknown"
    place = place_in_ark(source)
    path = place.ark if place else Path(source)
    require_file(path, utt)
    status = path.stat()
    return f"{status.st_size} bytes, {status.st_mtime_ns} ns"


def _stem(utt: str) -> str:
    """The name of an utterance's file without its extension."""
    stem = quote(utt, safe="")
    if len(stem) > MAX_STEM_BYTES:  # what is quoted is ASCII
        stem = hashlib.sha256(utt.encode()).hexdigest()
    return stem


def _decode(source: str, utt: str) -> tuple[Any, int]:
    """Samples (N,) of a source, +-1, its channels averaged, and their rate in Hz."""
    place = place_in_ark(source)
    if place:
        return place.read(utt)
    if _needs_pyav(source):
        return decode_container(Path(source), source)
    if not is_pipe(source):
        return read_mono(Path(source), utt)
    output = output_of(source)
    try:
        samples, rate = read_samples(io.BytesIO(output), source, utt)
    except UNREADABLE as error:
        raise SerError(
            f"{source}: wrote {len(output)} bytes, no audio ({utt}; {soundfile_reason(error)}); "
            "correct or remove it"
        ) from error
    require_finite(samples, source, utt)
    return samples.mean(axis=1), rate


def _cut(samples: Any, rate: int, clip: Clip, utt: str) -> tuple[Any, float]:
    """The piece, and the seconds by which it should have ended beyond its source."""
    seconds = len(samples) / rate
    end = seconds if clip.end is None else clip.end
    piece = samples[round(clip.start * rate) : round(end * rate)] if 0 <= clip.start < end else []
    if end > seconds + MAX_OVERSHOOT_S or not len(piece):
        raise SerError(
            f"{clip.source}: the piece from {clip.start} to {end} s ({utt}) of {seconds:.2f} s at "
            f"{rate} Hz has {len(piece)} samples; expected some, and an end at most "
            f"{MAX_OVERSHOOT_S} s beyond the recording's; correct its start and end"
        )
    return piece, end - seconds


def _tell(overshoots: Mapping[str, float]) -> None:
    late = [utt for utt, seconds in overshoots.items() if seconds > ROUNDING_S]
    if late:
        logger.warning(
            "%s pieces (%s the first) end up to %.3f s beyond their recordings; cut there",
            len(late),
            late[0],
            max(overshoots.values()),
        )
