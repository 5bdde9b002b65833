# shellcheck shell=bash
# The corpora are those of conf/cross.yaml, each after stage 0 of its own recipe.
export LIBRISPEECH=${LIBRISPEECH:-}    # the folder of train-clean-5
export WHISPER=${WHISPER:-}    # a published encoder's folder, or the word hub; for --conf conf/whisper
