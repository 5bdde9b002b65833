#!/usr/bin/env bash
# Stage 0: CREMA-D -> data/ser, LibriSpeech train-clean-5 -> data/asr_*.
set -euo pipefail
. ../../tools/data.sh

require_corpus CREMA_D
prepare_read_speech
python -m ser.bin.prepare_corpus crema_d "$CREMA_D" data/ser --conf conf
