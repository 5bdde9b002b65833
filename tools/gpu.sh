#!/usr/bin/env bash
# What this code does on this machine's GPU: whether it is right there, how fast, and beside what
# the card itself can do. 8 minutes at most; needs no corpus. Prints a table, writes DIR/gpu.json.
#
# Usage: tools/gpu.sh [--cpu] [--out DIR] [--parts "A B"] [--wheels DIR]
#        tools/gpu.sh --fetch-wheels DIR
#
#   --cpu               a rehearsal on the CPU with tiny sizes
#   --out DIR           where figures and logs go (gpu)
#   --parts "A B"       tests, ceiling, pretraining, espnet, finetuning, loader, mini (all)
#   --wheels DIR        a machine without a network: its own python3, which has torch, with the
#                       other packages from DIR
#   --fetch-wheels DIR  fills DIR, on a machine with a network; PYTHON_VERSION (3.12) is the other's
set -euo pipefail
tools=$(CDPATH='' cd -- "$(dirname "${BASH_SOURCE[0]}")" && pwd)

wheels=
arguments=()
while [ $# -gt 0 ]; do
  case $1 in
    --wheels) wheels=$2 && shift 2 ;;
    --parts)
      read -r -a parts <<<"$2"
      arguments+=(--parts "${parts[@]}") && shift 2
      ;;
    --fetch-wheels)
      python3 -m pip download --no-deps --only-binary=:all: --implementation cp \
        --python-version "${PYTHON_VERSION:-3.12}" --platform manylinux_2_28_x86_64 \
        --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 --dest "$2" \
        --constraint "$tools/constraints.txt" pydantic pydantic-core annotated-types \
        typing-inspection kaldiio soundfile cffi pycparser soxr jiwer rapidfuzz click \
        espeakng-loader markdown-it-py mdurl \
        espnet==202511 typeguard==2.13.3 torch_complex humanfriendly configargparse h5py # the peer
      exit
      ;;
    *) arguments+=("$1") && shift ;;
  esac
done

if [ -n "$wheels" ]; then
  packages=$(mktemp -d)
  trap 'rm -rf "$packages"' EXIT
  python3 -m pip install --quiet --no-index --no-deps --target "$packages" "$wheels"/*.whl
  export PYTHONPATH=$packages:$tools/..
  python3 "$tools/gpu.py" "${arguments[@]}"
else
  # shellcheck source-path=SCRIPTDIR
  . "$tools/activate.sh"
  PYTHONPATH=$tools/.. python "$tools/gpu.py" "${arguments[@]}"
fi
