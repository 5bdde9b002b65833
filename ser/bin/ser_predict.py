"""Predicts the emotion of audio with a trained model.

MODEL is a package of ser.bin.pack, an ONNX file of ser.bin.export, the folder of a run of stage 4
(exp/<system>/seed<s>/fold<k>), or a package on the Hugging Face hub, owner/model or
owner/model@revision. INPUT is any number of audio files, folders of them, wav.scp
files, or - for standard input, which is predicted as it comes in: WAV of 16 bits, or without a
header mono PCM of 16 bits.

A file that cannot be read is named on standard error; the others go on, and the exit status is 1.
Audio that cannot be speech (silence, less than 25 ms, clipped) gets no label: such a file is named
there too, and such a window has the reason in the JSON formats. With --segments vad a recording
without speech gets no line.

The latency of a line from standard input counts from the time that the last sample of its window
came in, queued or not; where samples come faster than they were spoken, from their reading.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from tqdm import tqdm

from ser.audio.reading import RATES_HZ, require_file
from ser.base.errors import Faults, SerError, run_program
from ser.base.names import printable
from ser.base.options import require_within
from ser.infer.enrolment import FEW_TURNS
from ser.infer.inputs import AudioInput, audio_inputs
from ser.infer.loading import load
from ser.infer.model import Model
from ser.infer.output_formats import FORMATS, printer
from ser.infer.pcm import read_pcm
from ser.infer.result import Result
from ser.infer.streaming import listen
from ser.infer.windows import is_long, require_lengths

LIVE_SECONDS = 3.0  # of a window of standard input
TOLD_SECONDS = 30.0  # from here on it is said that the label is of windows


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Says why INPUT is missing, where --enrol has taken it."""
        if "INPUT" in message and "--enrol" in sys.argv:
            message += "; --enrol takes all that follows it: write INPUT first"
        super().error(message)


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = _Parser(prog="ser-predict", description=__doc__)
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("inputs", metavar="INPUT", nargs="+")
    parser.add_argument("--format", choices=FORMATS, help="of what is printed (table)")
    parser.add_argument("--threshold", type=float, default=0.0, help="no label below (0)")
    parser.add_argument(
        "--enrol",
        metavar="PATH",
        nargs="+",
        action="extend",
        default=[],
        help="files, folders or wav.scp files of the one speaker of all INPUT, ten turns or more "
        "with mixed emotions; after INPUT; for models that take a speaker's mean",
    )
    parser.add_argument("--window", type=float, help="seconds; a line for each window of a file")
    parser.add_argument(
        "--hop", type=float, help="seconds between windows (a window; of - at most 1)"
    )
    parser.add_argument(
        "--segments", choices=["vad"], help="a line for each stretch of speech, found by its energy"
    )
    parser.add_argument("--rate", type=int, help="Hz, of raw standard input (16000)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:1 (cpu)")
    parser.add_argument("--batch", type=int, default=16, help="most utterances at a time (16)")
    parser.add_argument(
        "--any-audio", action="store_true", help="a label for silence and clipped audio too"
    )
    parser.add_argument("--threads", type=int, help="of computation (the libraries' choice)")
    parser.add_argument("--html", type=Path, help="draw the one INPUT into this page instead")
    return parser.parse_args()


def check_options(args: argparse.Namespace) -> None:
    """Refuses options that would be passed over.

    Raises:
        SerError: One of them was given.
    """
    listens = args.inputs == ["-"]
    require_within("--rate", args.rate, *RATES_HZ)
    if args.segments is not None:
        _check_segments(args)
    if args.hop is not None and args.window is None and not listens:
        raise SerError(f"--hop {args.hop:g} without --window; expected both")
    if args.html is not None and "-" in args.inputs:
        raise SerError(f"--html {args.html} with -; expected a file to draw")
    if args.html is not None and args.format is not None:
        raise SerError(f"--format {args.format} with --html; expected one of the two")
    if args.rate is not None and not listens:
        raise SerError(f"--rate {args.rate} with files, which have their own; expected it with -")


def _check_segments(args: argparse.Namespace) -> None:
    given = {"--window": args.window, "--hop": args.hop, "--html": args.html}
    for option, value in given.items():
        if value is not None:
            shown = value if isinstance(value, Path) else f"{value:g}"
            raise SerError(f"--segments vad with {option} {shown}; expected one of the two")
    if "-" in args.inputs:
        raise SerError(
            "--segments vad with -; expected a file, whose noise is known before its "
            "speech; leave --segments out, or write the stream into a file first"
        )


def main() -> None:
    """Prints what the model says, as soon as it says it."""
    args = parse_args()
    check_options(args)
    inputs, faults = ([], []) if args.inputs == ["-"] else audio_inputs(args.inputs)
    if args.html is not None:
        _check_page(inputs, faults, args.html)
    _require_some(inputs, faults)
    turns = _enrolment(args.enrol)
    model = load(args.model, args.device, args.threshold, args.batch, args.threads, args.any_audio)
    if turns:
        model = _enrolled(model, turns)
    elif model.speaker_prior:
        said = "no speaker is enrolled (--enrol, not with .onnx)"
        print(f"warning: {said}; the training speakers' mean is taken off", file=sys.stderr)
    if args.inputs == ["-"]:
        args.window = _or(args.window, min(LIVE_SECONDS, model.whole_seconds))
    if args.window is not None:
        hop = _or(args.hop, args.window)
        require_lengths(args.window, hop, model.fbank.config.frame_length_ms / 1000)
        _warn_of_window(model, args.window)
    if args.inputs == ["-"]:
        _listen(model, args)
        return
    if args.html is not None:
        from ser.infer.page import write_page

        _warn(write_page(model, inputs[0].path, args.html, args.window, args.hop), args)
        return
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    failed = bool(faults)
    quiet = sys.stdout.isatty() or None  # there the lines themselves are the progress
    timed = args.window is not None or args.segments is not None
    if timed:
        unit = "window" if args.segments is None else "segment"
        found = tqdm(_parts(model, inputs, args), unit=unit, disable=quiet)
    else:
        found = tqdm(_files(model, inputs), total=len(inputs), unit="file", disable=quiet)
    width = max((len(printable(str(one.path))) for one in inputs), default=0)
    with printer(args.format or FORMATS[0], model, sys.stdout, timed, path_width=width) as show:
        for one, result in found:
            if isinstance(result, SerError):
                print(f"error: {result}", file=sys.stderr)
                failed = True
            else:
                if not timed:
                    _warn(result, args)
                    _tell_of_windows(result, model)
                show(result, one.utt)
    sys.exit(failed)


def _warn(result: Result, args: argparse.Namespace) -> None:
    """Tells where the audio cannot be speech."""
    if result.flag:
        told = "its label means nothing" if args.any_audio else "no label (--any-audio gives one)"
        print(f"warning: {printable(result.path)}: {result.flag}; {told}", file=sys.stderr)


def _tell_of_windows(result: Result, model: Model) -> None:
    if is_long(result.end, max(model.whole_seconds, TOLD_SECONDS)):
        told = f"{result.end:.0f} s, cut into windows whose posteriors are averaged"
        lines = "--window or --segments vad give a line for each"
        print(f"note: {printable(result.path)}: {told}; {lines}", file=sys.stderr)


def _warn_of_window(model: Model, window: float) -> None:
    if model.longest_seconds and window > model.longest_seconds:
        longest = f"longer than every training utterance ({model.longest_seconds:g} s)"
        print(f"warning: --window {window:g}: {longest}; labels may be wrong", file=sys.stderr)


def _or(value: float | None, default: float) -> float:
    """What was asked for, 0 too, which is refused where it is used."""
    return default if value is None else value


def _require_some(inputs: list[AudioInput], faults: list[SerError]) -> None:
    """Looks whether one INPUT is there at least, before the model is fetched and loaded."""
    missing = Faults(map(str, faults))
    for one in inputs:
        if one.path.exists():
            return
        with missing.noted():
            require_file(one.path, one.path.name)
    missing.raise_any()


def _enrolment(paths: list[str]) -> list[Path]:
    """The files by which the speaker is enrolled, all of them there."""
    if "-" in paths:
        raise SerError("--enrol -: expected a file, a folder or a wav.scp; standard input is INPUT")
    faults, found = Faults(), []
    for path in paths:
        with faults.noted("--enrol "):
            listed, wrong = audio_inputs([path])
            found += [one.path for one in listed]
            for fault in wrong:
                faults.add(f"--enrol {fault}")
    for one in found:
        with faults.noted("--enrol "):
            require_file(one, one.name)
    faults.raise_any()
    return found


def _enrolled(model: Model, turns: list[Path]) -> Model:
    """The model for the speaker of some files; tells of how many turns."""
    enrolled = model.enrol(tqdm(turns, unit="file", desc="enrolment", disable=None, leave=False))
    few = f", fewer than {FEW_TURNS}" * (enrolled.num_enrolled < FEW_TURNS)
    mark = "warning: " * bool(few)
    print(f"{mark}enrolled by {enrolled.num_enrolled} turns{few}", file=sys.stderr)
    return enrolled


def _check_page(inputs: list[AudioInput], faults: list[SerError], page: Path) -> None:
    """Whether there is one file to draw."""
    if faults:
        raise faults[0]
    if len(inputs) != 1:
        raise SerError(f"--html {page}: {len(inputs)} files; expected one INPUT")


def _files(
    model: Model, inputs: list[AudioInput]
) -> Iterator[tuple[AudioInput, Result | SerError]]:
    found = model.predict_files([one.path for one in inputs])
    for one, (_, result) in zip(inputs, found, strict=True):
        yield one, result


def _parts(
    model: Model, inputs: list[AudioInput], args: argparse.Namespace
) -> Iterator[tuple[AudioInput, Result | SerError]]:
    """Windows or stretches of speech, file by file."""
    for one in inputs:
        try:
            if args.segments is None:
                found = model.predict_windows(one.path, args.window, _or(args.hop, args.window))
            else:
                found = _speech(model, one.path)
            for result in found:
                yield one, result
        except SerError as error:
            yield one, error


def _speech(model: Model, path: Path) -> Iterator[Result]:
    silent = True
    for result in model.predict_speech(path):
        silent = False
        yield result
    if silent:
        print(f"warning: {printable(str(path))}: no speech; no line", file=sys.stderr)


def _listen(model: Model, args: argparse.Namespace) -> None:
    """A line every hop, with its latency in milliseconds."""
    hop = _or(args.hop, min(1.0, args.window))
    if sys.stdin is None:
        raise SerError("-: standard input is closed; expected 16-bit PCM on it, raw or as WAV")
    pcm = read_pcm(sys.stdin.buffer, args.rate)
    form = args.format or FORMATS[0]
    with printer(form, model, sys.stdout, timed=True, latency=True) as show:
        for result, seconds in listen(model, pcm.source, pcm.rate_hz, args.window, hop):
            show(result, latency_ms=1000 * seconds)
    pcm.require_end()


def program() -> None:
    """The command ``ser-predict``."""
    run_program(main)


if __name__ == "__main__":
    program()
