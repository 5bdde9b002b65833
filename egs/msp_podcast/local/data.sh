#!/usr/bin/env bash
# Stage 0: MSP-Podcast -> data/ser, LibriSpeech train-clean-5 -> data/asr_*.
set -euo pipefail
. ../../tools/data.sh

require_corpus MSP_PODCAST
prepare_read_speech
python -m ser.bin.prepare_corpus msp_podcast "$MSP_PODCAST" data/ser --conf conf
