#!/usr/bin/env bash
# Stage 0: SAVEE -> data/ser, LibriSpeech train-clean-5 -> data/asr_*.
set -euo pipefail
. ../../tools/data.sh

require_corpus SAVEE
prepare_read_speech
python -m ser.bin.prepare_corpus savee "$SAVEE" data/ser --conf conf
