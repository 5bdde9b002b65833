#!/usr/bin/env bash
# Stage 0: TESS -> data/ser, LibriSpeech train-clean-5 -> data/asr_*.
set -euo pipefail
. ../../tools/data.sh

require_corpus TESS
prepare_read_speech
python -m ser.bin.prepare_corpus tess "$TESS" data/ser --conf conf
