#!/usr/bin/env bash
# Formatting, lint, types, shell and tests, from any directory. Arguments go to pytest.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/activate.sh"
cd "$(dirname "${BASH_SOURCE[0]}")/.."

ruff format --check --quiet ser tests tools setup.py
ruff check --quiet ser tests tools setup.py
mypy
git ls-files -z '*.sh' .ci/run | xargs -0 shellcheck --external-sources
python -m pytest "$@"
