# shellcheck shell=bash
# Where the corpora lie; the environment has the last word.
export ESD=${ESD:-}    # the folder of 0001 to 0020
export LIBRISPEECH=${LIBRISPEECH:-}    # the folder of train-clean-5
export WHISPER=${WHISPER:-}    # a published encoder's folder, or the word hub; for --conf conf/whisper
# Who is kept: the ten English speakers (0001 to 0010 speak Mandarin).
export ESD_SPEAKERS=${ESD_SPEAKERS:-0011 0012 0013 0014 0015 0016 0017 0018 0019 0020}
