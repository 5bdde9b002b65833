#!/usr/bin/env bash
# Stage 0: LibriSpeech train-clean-5 -> data/asr_*, RAVDESS speech -> data/ser.
set -euo pipefail

for corpus in RAVDESS LIBRISPEECH; do
  if [ -z "${!corpus:-}" ]; then
    echo "error: $corpus is not set; set it in db.sh or the environment to the corpus's folder" \
      "(egs/mini needs no corpus)" >&2
    exit 1
  fi
done

# train-clean-5 has no validation set of its own: three whole speakers are held out.
python -m ser.bin.prepare_librispeech "$LIBRISPEECH" data/asr_train data/asr_valid \
  --train-subsets train-clean-5 --valid-speakers 32 669 7312
python -m ser.bin.prepare_corpus ravdess "$RAVDESS" data/ser --conf conf
