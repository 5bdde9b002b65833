# shellcheck shell=bash
# Where the corpora lie; the environment has the last word.
export RAVDESS=${RAVDESS:-}            # the folder of Actor_01 to Actor_24
export LIBRISPEECH=${LIBRISPEECH:-}    # the folder of train-clean-5
export WHISPER=${WHISPER:-}            # a published encoder's folder, or the word hub; for --conf conf/whisper
