#!/usr/bin/env bash
# Stage 0: LibriSpeech 960 h -> data/asr_*, IEMOCAP -> data/ser.
#
# IEMOCAP_PARTIAL=1 accepts an IEMOCAP that differs from the published counts, with a warning.
set -euo pipefail
. ../../tools/data.sh

require_corpus IEMOCAP
partial=()
if [ -n "${IEMOCAP_PARTIAL:-}" ]; then partial+=(--partial); fi
python -m ser.bin.prepare_iemocap "$IEMOCAP" data/ser --conf conf "${partial[@]}"
if ! is_wanted data/asr_train; then exit 0; fi # no recogniser is trained
require_corpus LIBRISPEECH
python -m ser.bin.prepare_librispeech "$LIBRISPEECH" data/asr_train data/asr_valid \
  --train-subsets train-clean-100 train-clean-360 train-other-500 --valid-subsets dev-clean
