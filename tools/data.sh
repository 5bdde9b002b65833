# shellcheck shell=bash
# For the recipes' local/data.sh, which sources this file.

# Ends with one line where the variable of a corpus (EMODB, LIBRISPEECH, ...) is empty.
require_corpus() {
  if [ -z "${!1:-}" ]; then
    echo "error: $1 is not set; set it in db.sh or the environment to the corpus's folder" \
      "(egs/mini needs no corpus)" >&2
    exit 1
  fi
}

# LibriSpeech train-clean-5 -> data/asr_*, unless another recipe's recogniser is taken. It has no
# validation set of its own: three whole speakers are held out.
prepare_read_speech() {
  if [ "${recogniser:-.}" != . ]; then return 0; fi
  require_corpus LIBRISPEECH
  python -m ser.bin.prepare_librispeech "$LIBRISPEECH" data/asr_train data/asr_valid \
    --train-subsets train-clean-5 --valid-speakers 32 669 7312
}
