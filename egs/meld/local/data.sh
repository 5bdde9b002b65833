#!/usr/bin/env bash
# Stage 0: MELD -> data/ser, LibriSpeech train-clean-5 -> data/asr_*.
set -euo pipefail
. ../../tools/data.sh

require_corpus MELD
prepare_read_speech
python -m ser.bin.prepare_corpus meld "$MELD" data/ser --conf conf
