#!/usr/bin/env bash
# Stage 0: generates the corpora, as trees of IEMOCAP and LibriSpeech, and reads them as such.
set -euo pipefail

python -m ser.bin.make_synthetic "$MINI_CORPUS"
python -m ser.bin.prepare_librispeech "$MINI_CORPUS/LibriSpeech" data/asr_train data/asr_valid \
  --train-subsets train-clean-100 --valid-subsets dev-clean
python -m ser.bin.prepare_iemocap "$MINI_CORPUS/IEMOCAP_full_release" data/ser --conf conf \
  --counts "$MINI_CORPUS/counts.yaml" --attribute "cue=$MINI_CORPUS/cue.tsv"
