"""One program a stage step: docstring, arguments, main."""

import os

# Threads that wait for work spin by default: on cores that others use too, everything takes many
# times as long. PyTorch's OpenMP reads this when it is loaded, so it stands before all imports.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
