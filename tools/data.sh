# shellcheck shell=bash
# For the recipes' local/data.sh, which sources this file. Its arguments are the data directories that
# run.sh wants: data/ser, data/asr_train, data/asr_valid; without arguments all of them.
wanted=("$@")

# Whether a data directory is wanted.
is_wanted() {
  [ "${#wanted[@]}" -eq 0 ] || [[ " ${wanted[*]} " == *" $1 "* ]]
}

# Ends with one line on standard error.
refuse() {
  echo "error: $1" >&2
  exit 1
}

# Ends with one line where the variable of a corpus (EMODB, LIBRISPEECH, ...) is empty or no folder;
# with -e as second word a file is taken too.
require_corpus() {
  local without=
  if [ "$1" = LIBRISPEECH ]; then
    without="; without LibriSpeech: ./run.sh --recogniser none --systems 'cnn_blstm_sa transformer', or\
 WHISPER=/path/to/whisper-tiny.en ./run.sh --conf conf/whisper"
  fi
  if [ -z "${!1:-}" ]; then
    refuse "$1 is not set; set it in db.sh or the environment to the corpus's folder\
 (egs/mini needs no corpus)$without"
  fi
  if ! test "${2:--d}" "${!1}"; then
    refuse "$1 is '${!1}': no such folder, seen from $PWD; expected the corpus's; give its full path$without"
  fi
}

# Whether a path is a table or a Kaldi data directory, which ser.bin.prepare_table takes as it is.
is_table() {
  [ -f "$1" ] || [ -f "$1/wav.scp" ]
}

# LibriSpeech train-clean-5 -> data/asr_*, where they are wanted. It has no validation set of its own:
# three whole speakers are held out.
prepare_read_speech() {
  if ! is_wanted data/asr_train; then return 0; fi
  require_corpus LIBRISPEECH
  python -m ser.bin.prepare_librispeech "$LIBRISPEECH" data/asr_train data/asr_valid \
    --train-subsets train-clean-5 --valid-speakers 32 669 7312
}
