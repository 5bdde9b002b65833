#!/usr/bin/env bash
# Stage 0: ESD -> data/ser, LibriSpeech train-clean-5 -> data/asr_*.
set -euo pipefail
. ../../tools/data.sh

require_corpus ESD
prepare_read_speech
python -m ser.bin.prepare_corpus esd "$ESD" data/ser --conf conf \
  --speakers "$ESD_SPEAKERS"
