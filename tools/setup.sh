#!/usr/bin/env bash
# Makes the isolated Python environment tools/venv, once. Safe to interrupt and to rerun: the
# environment counts only once the file tools/venv/.complete names the files it was made from.
#
# Usage: tools/setup.sh        PYTHON=python3.11 tools/setup.sh to choose the interpreter
set -euo pipefail
CDPATH='' cd -- "$(dirname "${BASH_SOURCE[0]}")/.."
venv=$PWD/tools/venv
python=${PYTHON:-python3}

# One set-up at a time; a second one waits, and finds the work done.
exec 9>tools/.setup.lock
flock 9

made_from=$(cat setup.py tools/constraints.txt | sha256sum | cut -d ' ' -f 1)
if [ -f "$venv/.complete" ] && [ "$(cat "$venv/.complete")" = "$made_from" ]; then
  exit 0
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "error: $python: expected Python 3.11 or later; name another with PYTHON=..." >&2
  exit 1
fi
import_all='
import importlib, pkgutil, ser
for module in pkgutil.walk_packages(ser.__path__, "ser."):
    importlib.import_module(module.name)
'
# uv does what pip does in a third of the time; pip does it where uv cannot be had or finds nothing,
# for instance behind a mirror that only pip is told of.
install_packages() {
  local packages=(--constraint tools/constraints.txt --editable ".[dev]")
  if "$venv/bin/pip" install --constraint tools/constraints.txt uv; then
    if "$venv/bin/uv" pip install --python "$venv/bin/python" "${packages[@]}"; then return; fi
  fi
  "$venv/bin/pip" install --no-compile "${packages[@]}"
}
echo "setting up $venv (about 6 GB and a few minutes, once); log: tools/setup.log" >&2
# A whole environment is brought up to date; what an interrupted set-up left is made anew.
fresh=()
if [ -f "$venv/.complete" ]; then rm "$venv/.complete"; else fresh=(--clear); fi
if ! {
  "$python" -m venv "${fresh[@]}" "$venv" && install_packages &&
    # What the programs import is compiled once, even where Python is told to keep nothing compiled.
    env -u PYTHONDONTWRITEBYTECODE "$venv/bin/python" -c "$import_all"
} >tools/setup.log 2>&1; then
  echo "error: set-up failed; the end of tools/setup.log:" >&2
  tail -n 5 tools/setup.log >&2
  exit 1
fi
echo "$made_from" >"$venv/.complete"
