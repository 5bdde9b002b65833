# shellcheck shell=bash
# Puts the project's Python environment in front, and makes it on first use. Source it from any
# directory. Where there is no tools/venv, an active Python that has `ser` from this very checkout,
# torch and torchaudio is used instead.

ser_root=$(CDPATH='' cd -P -- "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

# Whether a Python has what the recipes need, with `ser` from this checkout.
ser_python_fits() {
  (cd / && "$1" - "$ser_root" <<'END' 2>/dev/null
import importlib.util, pathlib, sys
import ser
here = pathlib.Path(ser.__file__).resolve() == pathlib.Path(sys.argv[1]) / "ser" / "__init__.py"
# Found, not imported, which takes seconds.
sys.exit(not (here and all(map(importlib.util.find_spec, ("torch", "torchaudio")))))
END
  )
}

if ! [ -f "$ser_root/tools/venv/.complete" ] && command -v python >/dev/null &&
  ser_python_fits python; then
  : # the active Python is the right one
else
  "$ser_root/tools/setup.sh" || return 1
  PATH=$ser_root/tools/venv/bin:$PATH
fi
export PATH
