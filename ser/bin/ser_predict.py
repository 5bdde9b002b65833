"""Predicts the emotion of audio with a trained model.

MODEL is a package of ser.bin.pack, an ONNX file of ser.bin.export, or the folder of a run of stage
4 (exp/<system>/seed<s>/fold<k>). INPUT is any number of audio files, folders of them, wav.scp
files, or - for raw 16-bit mono PCM on standard input, which is predicted as it comes in.

A file that cannot be read is named on standard error; the others go on, and the exit status is 1.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from ser.base.errors import SerError, run_program
from ser.infer.inputs import audio_inputs
from ser.infer.loading import load
from ser.infer.model import Model, Result
from ser.infer.printing import FORMATS, printer
from ser.infer.windows import Floats, stream_pcm


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="ser-predict", description=__doc__)
    parser.add_argument("model", metavar="MODEL", type=Path)
    parser.add_argument("inputs", metavar="INPUT", nargs="+")
    parser.add_argument("--format", choices=FORMATS, default="table")
    parser.add_argument("--threshold", type=float, default=0.0, help="no label below (0)")
    parser.add_argument("--window", type=float, help="seconds; a line for each window of a file")
    parser.add_argument("--hop", type=float, help="seconds between windows (a window)")
    parser.add_argument("--rate", type=int, default=16000, help="Hz, of standard input (16000)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (cpu)")
    parser.add_argument("--batch", type=int, default=16, help="most utterances at a time (16)")
    parser.add_argument("--html", type=Path, help="draw the one INPUT into this page instead")
    return parser.parse_args()


def main() -> None:
    """Prints what the model says, as soon as it says it."""
    args = parse_args()
    model = load(args.model, args.device, args.threshold, args.batch)
    if args.hop is not None and args.window is None:
        raise SerError(f"--hop {args.hop:g} without --window; expected both")
    if args.inputs == ["-"]:
        _listen(model, args)
        return
    failed = False
    paths = audio_inputs(args.inputs)
    if args.html is not None:
        from ser.infer.page import write_page

        if len(paths) != 1:
            raise SerError(f"--html {args.html}: {len(paths)} files; expected one INPUT")
        write_page(model, paths[0], args.html, _or(args.window, 1.0), _or(args.hop, 0.25))
        return
    quiet = sys.stdout.isatty() or None  # there the lines themselves are the progress
    if args.window is None:
        found = tqdm(model.predict_files(paths), total=len(paths), unit="file", disable=quiet)
    else:
        found = tqdm(_windows(model, paths, args), unit="window", disable=quiet)
    timed = args.window is not None
    width = max((len(str(path)) for path in paths), default=0)
    with printer(args.format, model, sys.stdout, timed, path_width=width) as show:
        for _, result in found:
            if isinstance(result, SerError):
                print(f"error: {result}", file=sys.stderr)
                failed = True
            else:
                show(result)
    sys.exit(failed)


def _or(value: float | None, default: float) -> float:
    """What was asked for, 0 too, which is refused where it is used."""
    return default if value is None else value


def _windows(
    model: Model, paths: list[Path], args: argparse.Namespace
) -> Iterator[tuple[Path, Result | SerError]]:
    for path in paths:
        try:
            for result in model.predict_windows(path, args.window, _or(args.hop, args.window)):
                yield path, result
        except SerError as error:
            yield path, error


def _listen(model: Model, args: argparse.Namespace) -> None:
    """A line every hop, with the milliseconds from the window's last sample to the line."""
    window = _or(args.window, 3.0)
    hop = _or(args.hop, min(1.0, window))
    if args.rate < 1:
        raise SerError(f"--rate {args.rate}: expected Hz")
    if sys.stdin is None:
        raise SerError("-: standard input is closed; expected raw 16-bit PCM on it")
    heard = 0.0

    def chunks() -> Iterator[Floats]:
        nonlocal heard
        for chunk in stream_pcm(sys.stdin.buffer, args.rate, model.sample_rate_hz):
            heard = time.perf_counter()
            yield chunk

    with printer(args.format, model, sys.stdout, timed=True, latency=True) as show:
        for result in model.predict_windows(chunks(), window, hop):
            show(result, 1000 * (time.perf_counter() - heard))


def program() -> None:
    """The command ``ser-predict``."""
    run_program(main)


if __name__ == "__main__":
    program()
