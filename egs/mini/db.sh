# shellcheck shell=bash
# Where the corpora lie. egs/mini needs none: stage 0 generates one here.
export MINI_CORPUS=${MINI_CORPUS:-$PWD/corpus}
