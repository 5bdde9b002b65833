#!/usr/bin/env bash
# Makes egs/NAME: a recipe for a corpus of yours, with the settings for little data of egs/ravdess.
#
# Usage: tools/new_recipe.sh NAME [--pattern PATTERN]
#
#   NAME                 small letters, digits and underscores; NAME in capitals is the variable that
#                        says where the corpus lies
#   --pattern PATTERN    what the names of its audio files say, for egs/NAME/local/data.sh, where it
#                        can be changed: a regular expression of Python's that matches the whole name
#                        without its extension (with a slash in it: the path below the folder). Its
#                        parts (?P<speaker>...) and (?P<label>...) must be there; session, gender, text
#                        and id are known as well, and a part of any other name becomes a table of the
#                        corpus. Without it: <speaker>_<label>_<anything>
#   --help               this text
#
# EmoDB's 03a01Fa.wav: --pattern '(?P<speaker>\d\d)(?P<sentence>[ab]\d\d)(?P<label>[WLEAFTN])[a-z]?'
# A folder for each emotion: --pattern '(?P<label>[^/]+)/(?P<speaker>[^/_]+)_.*'
set -euo pipefail
export LC_ALL=C # where i and I are the same letter, and a-z has 26
CDPATH='' cd -- "$(dirname "${BASH_SOURCE[0]}")/.."

if [ "${1:-}" = --help ] || [ "${1:-}" = -h ]; then
  sed -n '2,/^set /{/^#/s/^# \{0,1\}//p;}' tools/new_recipe.sh
  exit 0
fi
pattern='(?P<speaker>[^_]+)_(?P<label>[^_.]+)([_.].*)?'
if [ $# -eq 3 ] && [ "$2" = --pattern ]; then
  pattern=$3
elif [ $# -ne 1 ]; then
  echo "error: '$*': expected NAME, or NAME --pattern PATTERN (tools/new_recipe.sh --help)" >&2
  exit 2
fi
if ! [[ $1 =~ ^[a-z][a-z0-9_]*$ ]]; then
  echo "error: '$1': expected one name of small letters, digits and underscores" >&2
  exit 2
fi
name=$1
recipe=egs/$name
corpus=${name^^}
if [ -e "$recipe" ]; then
  echo "error: $recipe: is there already; take another name, or remove it" >&2
  exit 1
fi

# Variables that mean something else already: to the shell, to other programs, to other recipes.
taken=$(
  env -i bash -c 'compgen -v'
  printf '%s\n' HOME LANG LANGUAGE LOGNAME MAIL USER TEMP TMP TMPDIR TZ DISPLAY EDITOR PAGER CDPATH GLOBIGNORE TMOUT
  sed -n 's/^export \([A-Z0-9_]*\)=.*/\1/p' egs/*/db.sh
)
if grep -qx "$corpus" <<<"$taken" || [[ $corpus =~ ^(ALL|BASH|CUDA|FTP|HF|HTTPS?|LC|LD|NO|OMP|PYTHON|SER|SLURM|TORCH)(_|$) ]]; then
  echo "error: $name: $corpus is a variable with another meaning; take another name (my_$name)" >&2
  exit 1
fi

quoted="'${pattern//\'/\'\\\'\'}'" # one word for a shell
new=egs/.$name.partial
rm -rf "$new"
mkdir -p "$new/local" "$new/conf/protocol"
cp -L egs/ravdess/{run,path,cmd}.sh "$new"
cp -RL egs/ravdess/conf/{bpe,encoder,fbank}.yaml egs/ravdess/conf/{systems,baselines,ablations,tuning,pretrain,slurm.conf} "$new/conf"
mkdir "$new/conf/whisper"
cp -RL egs/ravdess/conf/whisper/{bpe,encoder,fbank}.yaml egs/ravdess/conf/whisper/{systems,baselines,tuning,pretrain} \
  "$new/conf/whisper"

cat >"$new/db.sh" <<END
# shellcheck shell=bash
# Where the corpora lie; the environment has the last word.
export $corpus=\${$corpus:-}    # your corpus: a folder of audio files, a table, or a Kaldi data directory
export WHISPER=\${WHISPER:-}    # a published encoder's folder, or the word hub; for --conf conf/whisper
export LIBRISPEECH=\${LIBRISPEECH:-}    # the folder of train-clean-5, to train a recogniser
END

cat >"$new/local/data.sh" <<END
#!/usr/bin/env bash
# Stage 0: your corpus -> data/ser, LibriSpeech train-clean-5 -> data/asr_* (where one is trained here).
set -euo pipefail
. ../../tools/data.sh

require_corpus $corpus -e
prepare_read_speech

# $corpus may be a table (.csv, .tsv) or a Kaldi data directory, which is taken as it is. Of a folder of audio
# files a table is made, data/from_names.tsv, by the pattern of their names (python -m ser.bin.list_audio --help):
# its named parts are the columns. Which labels make which class says conf/labels.yaml.
pattern=$quoted
table=\$$corpus
if ! is_table "\$$corpus"; then
  table=data/from_names.tsv
  mkdir -p data && python -m ser.bin.list_audio --pattern "\$pattern" -- "\$$corpus" >"\$table"
fi
python -m ser.bin.prepare_table "\$table" data/ser --conf conf # --allow-pipes: runs the commands of a wav.scp
END
chmod +x "$new/local/data.sh"

cat >"$new/conf/labels.yaml" <<END
# The classes in the order of the model's outputs, each with the labels of the corpus that it merges.
classes:
  ang: [angry]
  hap: [happy]
  neu: [neutral]
  sad: [sad]
# Labels that are left out on purpose; a label in neither list is an error.
exclude: []
END

cat >"$new/conf/protocol/paper.yaml" <<END
# Speakers in five folds, each held out once; the last weights, so that nothing is chosen on a test fold.
# ser/config/protocol.py lists the keys: sessions, scenes, a corpus's own parts, validation sets.
fold_unit: speaker
num_folds: 5
validation: none
selection: last
END
cp -L egs/ravdess/conf/protocol/next_fold.yaml "$new/conf/protocol"

# The classes and who is held out are those of conf.
printf '!include ../labels.yaml\n' >"$new/conf/whisper/labels.yaml"
mkdir "$new/conf/whisper/protocol"
for file in paper next_fold; do
  printf '!include ../../protocol/%s.yaml\n' "$file" >"$new/conf/whisper/protocol/$file.yaml"
done

cat >"$new/README.md" <<END
# $name

How to obtain it, its licence, its classes and counts, its pitfalls:

\`\`\`sh
export $corpus=/path/to/$name
WHISPER=/path/to/whisper-tiny.en ./run.sh --conf conf/whisper     # from a published encoder
./run.sh --recogniser none --systems "cnn_blstm_sa transformer"     # from scratch, needs nothing else
./run.sh --recogniser ../ravdess     # the encoder of a trained egs/ravdess; without it one is trained
\`\`\`
END
mv "$new" "$recipe"
echo "$recipe: write your labels into conf/labels.yaml, then: cd $recipe && ./run.sh --help" >&2
