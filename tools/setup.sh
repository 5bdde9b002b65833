#!/usr/bin/env bash
# Makes the isolated Python environment tools/venv, once. Safe to interrupt and to rerun: the
# environment counts only once the file tools/venv/.complete names the files it was made from, and
# this checkout, whose `ser` is installed in it.
#
# Usage: tools/setup.sh        PYTHON=python3.11 tools/setup.sh to choose the interpreter
set -euo pipefail
CDPATH='' cd -- "$(dirname "${BASH_SOURCE[0]}")/.."
venv=$PWD/tools/venv
python=${PYTHON:-python3}

# One set-up at a time; a second one waits, and finds the work done.
exec 9>tools/.setup.lock
flock 9

here=$(pwd -P)
made_from=$(cat setup.py tools/constraints.txt | sha256sum | cut -d ' ' -f 1)
found='' of=''
if [ -f "$venv/.complete" ]; then
  { read -r found && read -r of; } <"$venv/.complete" || true
  if [ -z "$of" ]; then # earlier versions noted none
    of=$(cd / && env -u PYTHONPATH "$venv/bin/python" -c 'import ser; print(ser.__path__[0].removesuffix("/ser"))') || true
  fi
  if [ "$found" = "$made_from" ] && [ "$of" = "$here" ]; then exit 0; fi
fi
if [ -L "$venv" ]; then
  if [ -f "$(dirname "$(readlink -f "$venv")")/setup.sh" ]; then of=$(cd "$(dirname "$(readlink -f "$venv")")/.." && pwd -P); fi
  if [ -n "$of" ] && [ "$of" != "$here" ]; then
    echo "error: tools/venv is the environment of $of, whose ser it runs; expected one of this checkout's own;" \
      "remove the link" >&2
    exit 1
  fi
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
# A whole environment is brought up to date; what an interrupted set-up left, or what came with a copy or a move of a
# checkout, is made anew.
fresh=()
if [ "$of" != "$here" ] && ! { [ -L "$venv" ] && [ -f "$venv/.complete" ]; }; then fresh=(--clear); fi
rm -f "$venv/.complete"
if ! {
  "$python" -m venv "${fresh[@]}" "$venv" && install_packages &&
    # What the programs import is compiled once, even where Python is told to keep nothing compiled.
    env -u PYTHONDONTWRITEBYTECODE "$venv/bin/python" -c "$import_all"
} >tools/setup.log 2>&1; then
  echo "error: set-up failed; the end of tools/setup.log:" >&2
  tail -n 5 tools/setup.log >&2
  exit 1
fi
printf '%s\n%s\n' "$made_from" "$here" >"$venv/.complete"
