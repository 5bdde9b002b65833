#!/usr/bin/env bash
# Stage 0: LibriSpeech 960 h -> data/asr_*, IEMOCAP -> data/ser.
#
# IEMOCAP_PARTIAL=1 accepts an IEMOCAP that differs from the published counts, with a warning.
set -euo pipefail

for corpus in IEMOCAP LIBRISPEECH; do
  if [ -z "${!corpus:-}" ]; then
    echo "error: $corpus is not set; set it in db.sh or the environment to the corpus's folder" \
      "(egs/mini needs no corpus)" >&2
    exit 1
  fi
done

partial=()
if [ -n "${IEMOCAP_PARTIAL:-}" ]; then partial+=(--partial); fi
python -m ser.bin.prepare_iemocap "$IEMOCAP" data/ser --conf conf "${partial[@]}"
python -m ser.bin.prepare_librispeech "$LIBRISPEECH" data/asr_train data/asr_valid \
  --train-subsets train-clean-100 train-clean-360 train-other-500 --valid-subsets dev-clean
