"""Packs trained models into one folder, and a .tar.gz of it, that needs nothing else to predict.

By default all folds of a seed as an ensemble. ser-predict and ser.load take the folder.
"""

import argparse
import os
from pathlib import Path

from ser.base.errors import SerError, run_program
from ser.base.hub import NAME, upload
from ser.base.log import log_to_console, logger
from ser.base.options import distinct_words
from ser.infer.package import MANIFEST
from ser.release.pack import Packing, pack
from ser.release.place import is_manifest


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("system", type=Path, help="exp/<system>")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folds", default="", help="some folds: one model, or a smaller ensemble")
    parser.add_argument("--average", action="store_true", help="average the weights of the folds")
    parser.add_argument("--data", default="not stated", help="corpora, for the model card")
    parser.add_argument("--licence", default="not stated", help="of the weights, for the card")
    parser.add_argument("--data-licence", default="not stated", help="of the corpora, for the card")
    parser.add_argument("--language", default="", help="ISO 639 codes of the speech, for the card")
    parser.add_argument(
        "--hub", metavar="OWNER/MODEL", help="upload it there, private if it is new"
    )
    return parser.parse_args()


def main() -> None:
    """Writes the package."""
    args = parse_args()
    log_to_console()
    packing = Packing(
        system=Path(os.path.abspath(args.system)),  # noqa: PTH100  # . and .. are no names; links stay
        seed=args.seed,
        folds=distinct_words("--folds", args.folds) if args.folds else (),
        average=args.average,
        data=args.data,
        licence=args.licence,
        data_licence=args.data_licence,
        languages=distinct_words("--language", args.language) if args.language else (),
        hub=args.hub or "",
    )
    if args.hub is not None:
        _check_upload(args)
    pack(packing, args.out)
    if lacking := _not_stated(args):
        logger.warning("%s: the card says 'not stated' of %s", args.out, ", ".join(lacking))
    if args.hub is not None:
        said = "%s@%s: uploaded; a new model is private until you make it public"
        logger.info(said, args.hub, upload(args.out, args.hub, MANIFEST, is_manifest))


def _check_upload(args: argparse.Namespace) -> None:
    """Refuses, before anything is packed, what may not go to the hub.

    Raises:
        SerError: The name is not valid, or the card would be incomplete.
    """
    found = NAME.fullmatch(args.hub)
    if found is None or found["revision"]:
        raise SerError(f"--hub {args.hub}: no name of a model; expected owner/model")
    lacking = _not_stated(args)
    if lacking:
        raise SerError(
            f"--hub {args.hub}: without {', '.join(lacking)}; expected all that a public card "
            "must say; give them"
        )


def _not_stated(args: argparse.Namespace) -> list[str]:
    stated = {"--data": args.data, "--licence": args.licence, "--data-licence": args.data_licence}
    lacking = [option for option, value in stated.items() if value.strip() in ("", "not stated")]
    return lacking if args.language else [*lacking, "--language"]


if __name__ == "__main__":
    run_program(main)
