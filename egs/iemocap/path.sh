# shellcheck shell=bash
# Puts the project's Python environment in front; sets it up on first use. Source it from anywhere.
. "$(dirname "${BASH_SOURCE[0]}")/../../tools/activate.sh"
