# shellcheck shell=bash
# Where the corpora lie; the environment has the last word.
export TESS=${TESS:-}    # the folder of OAF_* and YAF_*
export LIBRISPEECH=${LIBRISPEECH:-}    # the folder of train-clean-5
export WHISPER=${WHISPER:-}    # a published encoder's folder, or the word hub; for --conf conf/whisper
