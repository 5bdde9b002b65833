#!/usr/bin/env bash
# Stage 0: EmoDB -> data/ser, LibriSpeech train-clean-5 -> data/asr_*.
set -euo pipefail
. ../../tools/data.sh

require_corpus EMODB
prepare_read_speech
python -m ser.bin.prepare_corpus emodb "$EMODB" data/ser --conf conf
