# shellcheck shell=bash
# Where the corpora lie; the environment has the last word.
export IEMOCAP=${IEMOCAP:-}            # IEMOCAP_full_release
export LIBRISPEECH=${LIBRISPEECH:-}    # the folder of train-clean-100, ..., dev-clean
export WHISPER=${WHISPER:-}            # a published encoder's folder, or the word hub; for --conf conf/whisper
