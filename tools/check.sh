#!/usr/bin/env bash
# Formatting, lint, types, shell and tests, from any directory.
#
# Usage: tools/check.sh [--fast|--all] [options of pytest]
#
#   --fast    only the tests that train nothing and take less than a second
#   --all     the slow tests too (kills, torchrun, the paper's sizes, browsers, the pages'
#             commands): CI
#
# The tests run in random order (its seed is printed: --randomly-seed=N repeats it), with a worker
# for each core; -n0 runs them in one process.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/activate.sh"
CDPATH='' cd -- "$(dirname "${BASH_SOURCE[0]}")/.."

export SER_GPU_TESTS=${SER_GPU_TESTS:-rehearse} # without a GPU the CPU takes its place
unset PYTHONDONTWRITEBYTECODE # the tests start some hundred Pythons: what they import is kept compiled

chosen="not slow" in_memory=
case ${1:-} in
  --fast)
    chosen="not slow and not long"
    export SER_FUZZ_EXAMPLES=${SER_FUZZ_EXAMPLES:-20}
    # Thousands of small files: in memory where there is room.
    room=$(df --output=avail /dev/shm 2>/dev/null | tail -1) || room=0 # KiB
    [ "$room" -lt 2000000 ] || in_memory=/dev/shm
    shift
    ;;
  --all)
    chosen=
    shift
    ;;
esac

own=$(mktemp -d ${in_memory:+-p "$in_memory"})
trap 'rm -rf "$own"' EXIT
if [ "$in_memory" ]; then
  chmod 755 "$own" # some tests are run by nobody
  export TMPDIR=$own
fi

ruff format --check --quiet ser tests tools setup.py
ruff check --quiet ser tests tools setup.py

# Types and shell beside the tests; what they say comes last.
{
  mypy && git ls-files -z '*.sh' .ci/run | xargs -0 shellcheck --external-sources
} >"$own/said" 2>&1 &

status=0
workers=$(env -u OMP_NUM_THREADS nproc)
python -m pytest -m "$chosen" -n "$((workers < 8 ? workers : 8))" \
  --dist loadfile --no-loadscope-reorder "$@" || status=$?
wait $! || status=$?
cat "$own/said"
exit "$status"
