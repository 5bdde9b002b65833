"""Shows a model on a page in the browser: drop or record audio, and see what it says.

MODEL is what ser-predict takes. The page is served to this machine alone unless --host names
another address; then whoever reaches it may use it. It needs Gradio (pip install gradio), loads
nothing from a network and sends nothing anywhere. Tell those whom you record what you do.
"""

import argparse
import importlib.util

from ser.base.errors import SerError, run_program
from ser.infer.loading import find_model, load


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="ser-demo", description=__doc__)
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (127.0.0.1)")
    parser.add_argument("--port", type=int, default=7860, help="0 for any that is free (7860)")
    parser.add_argument("--max-minutes", type=float, default=10.0, help="of a recording (10)")
    parser.add_argument("--threshold", type=float, default=0.0, help="no label below (0)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:1 (cpu)")
    return parser.parse_args()


def require_gradio() -> None:
    """Looks for it before a model is fetched and loaded.

    Raises:
        SerError: It is not installed.
    """
    if importlib.util.find_spec("gradio") is None:
        raise SerError("gradio is not installed; expected it for the page; pip install gradio")


def main() -> None:
    """Serves the page."""
    args = parse_args()
    if not 0 < args.max_minutes < float("inf"):
        raise SerError(f"--max-minutes {args.max_minutes:g}: expected minutes above 0")
    if not 0 <= args.port < 65536:
        raise SerError(f"--port {args.port}: expected 0 to 65535")
    require_gradio()
    path = find_model(args.model)
    model = load(path, args.device, args.threshold)
    from ser.demo.page import card_of, serve  # which need PyTorch

    serve(model, card_of(path), args.host, args.port, args.max_minutes)


def program() -> None:
    """The command ``ser-demo``."""
    run_program(main)


if __name__ == "__main__":
    program()
