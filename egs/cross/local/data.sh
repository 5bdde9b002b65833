#!/usr/bin/env bash
# Stage 0: the corpora of conf/cross.yaml -> data/ser, LibriSpeech train-clean-5 -> data/asr_*.
set -euo pipefail
. ../../tools/data.sh

prepare_read_speech
python -m ser.bin.prepare_cross data/ser --conf conf
