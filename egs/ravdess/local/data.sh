#!/usr/bin/env bash
# Stage 0: RAVDESS speech -> data/ser, LibriSpeech train-clean-5 -> data/asr_*.
set -euo pipefail
. ../../tools/data.sh

require_corpus RAVDESS
prepare_read_speech
python -m ser.bin.prepare_corpus ravdess "$RAVDESS" data/ser --conf conf
