"""One program a stage step: docstring, arguments, main."""

import os
import signal
import sys
from pathlib import Path

# Threads that wait for work spin by default: on cores that others use too, everything takes many
# times as long. PyTorch's OpenMP reads this when it is loaded, so it stands before all imports.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Ctrl-C while a program still imports ends it without a traceback; ``run_program`` takes over.
is_program = Path(sys.argv[0]).name in ("ser-predict", "ser-demo") or any(
    word.startswith("ser.bin.") for word in sys.orig_argv[:4]
)
if is_program and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
