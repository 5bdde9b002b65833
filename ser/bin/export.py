"""Exports a model to ONNX (.onnx) or, without an LSTM, torch.export (.pt2).

The ONNX file is a model for ser-predict, which runs it by onnxruntime without torch. Inputs: feats
(batch, frames, bands), normalised as the model's features are, or with --features-inside samples
(batch, samples) in 16-bit scale; and lens (batch). With --int8 a batch is one utterance: scales
that are found at run time would depend on the others.
"""

import argparse
from pathlib import Path

from ser.base.errors import SerError, run_program
from ser.base.log import log_to_console, logger
from ser.infer.loading import load
from ser.release.export import OPSET, export_onnx, export_torch


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="a package, or the folder of a run of stage 4")
    parser.add_argument("--out", type=Path, required=True, help="<name>.onnx or <name>.pt2")
    parser.add_argument("--features-inside", action="store_true", help="take samples")
    parser.add_argument("--int8", action="store_true", help="quantise dynamically (ONNX)")
    return parser.parse_args()


def main() -> None:
    """Writes the file."""
    args = parse_args()
    log_to_console()
    if args.out.suffix not in (".onnx", ".pt2"):
        raise SerError(f"--out {args.out}: expected a name that ends in .onnx or .pt2")
    if not args.out.parent.is_dir():
        raise SerError(f"{args.out.parent}: no such folder; expected one for the file; make it")
    if args.int8 and args.out.suffix != ".onnx":
        raise SerError("--int8: for ONNX alone; pass --out <name>.onnx")
    model = load(args.model)
    if model.speaker_prior:
        logger.warning(
            "%s: the training speakers' mean is fixed in it; no speaker can be enrolled", args.out
        )
    if args.out.suffix == ".onnx":
        export_onnx(model, args.out, args.features_inside, args.int8)
        logger.info("%s: ONNX, opset %s", args.out, OPSET)
        return
    export_torch(model, args.out, args.features_inside)
    logger.info("%s: torch.export", args.out)


if __name__ == "__main__":
    run_program(main)
