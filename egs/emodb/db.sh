# shellcheck shell=bash
# Where the corpora lie; the environment has the last word.
export EMODB=${EMODB:-}    # the folder of wav/
export LIBRISPEECH=${LIBRISPEECH:-}    # the folder of train-clean-5
