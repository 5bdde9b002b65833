# shellcheck shell=bash
# Options, paths and stages for the recipes' run.sh, which sources this file after it has gone to its
# own folder, and calls begin "$@".
# The options are those of run.sh's header: "--name N" takes a number, "--name WORD" a value,
# "--name this|that" one of these words, "--name" alone is a switch. Each is a variable of run.sh;
# nothing else can be set. A new option is a line of that header (one text in mini, ravdess and
# iemocap, whose run.sh are alike), a default here, its use in run.sh or below, and the same option
# in ser/bin/doctor.py, which looks at the call first.

# Before 4.4 an empty array counts as unset.
if [ $((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1])) -lt 404 ] || ! command -v flock >/dev/null; then
  echo "error: bash $BASH_VERSION: expected bash 4.4 or later and flock, as Linux has them" \
    "(macOS: brew install bash flock)" >&2
  exit 1
fi

recipe=./$(basename "$0")
last_stage=6

# Ends with one line on standard error, as a wrong call does.
usage_error() {
  echo "error: $1; expected the options that $recipe --help lists" >&2
  exit 2
}

# The comment at the top of run.sh, without its marks.
print_header() {
  local line
  while IFS= read -r line && [[ $line == \#* ]]; do
    [[ $line == \#!* ]] || printf '%s\n' "${line:2}"
  done <"$recipe"
}

# What the header says that an option takes: a number, a value, one of some words (these, with | on
# all sides), or nothing. Fails for an unknown option.
option_takes() {
  local word value
  while read -r word value _; do
    if [ "$word" = "--$1" ]; then
      case $value in
        N) echo number ;;
        [[:upper:]\"]*) echo value ;;
        *\|*) echo "|$value|" ;;
        *) echo nothing ;;
      esac
      return 0
    fi
  done < <(print_header)
  return 1
}

# Sets the variables of run.sh from the command line; --stop-stage and --stop_stage are the same.
# command_line is the call as it can be typed again; SER_RUN_OPTIONS holds what of it an error's
# advice to rerun a stage needs (ser/base/record.py): the same experiment, not the same stages.
parse_options() {
  local option name takes
  export SER_RUN_OPTIONS=
  command_line=$recipe
  for option in "$@"; do
    printf -v command_line '%s %q' "$command_line" "$option"
  done
  while [ $# -gt 0 ]; do
    option=$1
    shift
    name=${option#--}
    if [ "$name" = help ] || [ "$option" = -h ]; then
      print_header
      exit 0
    fi
    if [ "$name" = "$option" ] || ! takes=$(option_takes "${name//_/-}"); then
      usage_error "unknown option '$option'"
    fi
    name=${name//-/_}
    if [ "$takes" = nothing ]; then
      printf -v "$name" true
      continue
    fi
    if [ $# -eq 0 ] || [[ $1 == --* ]]; then
      usage_error "$option has no value"
    fi
    if [ "$takes" = number ] && ! [[ $1 =~ ^[0-9]{1,6}$ ]]; then
      usage_error "$option is '$1', which is no whole number"
    fi
    if [[ $takes == \|* ]] && [[ $takes != *"|$1|"* ]]; then
      takes=${takes//|/ }
      usage_error "$option is '$1', which is none of${takes% }"
    fi
    printf -v "$name" %s "$1"
    case $name in
      stage | stop_stage | max_minutes) ;;
      *) printf -v SER_RUN_OPTIONS '%s %s %q' "$SER_RUN_OPTIONS" "$option" "$1" ;;
    esac
    shift
  done
  # shellcheck disable=SC2154  # variables of run.sh
  if [ "$stage" -gt "$stop_stage" ] || [ "$stop_stage" -gt "$last_stage" ]; then
    usage_error "--stage $stage --stop-stage $stop_stage is no range of the stages 0 to $last_stage"
  fi
}

# Reads a file of the recipe; what fails in it would end the shell without a word.
source_own() {
  # shellcheck disable=SC1090  # a file of the recipe
  . "./$1" || {
    echo "error: $1: ends with status $?; expected 0; correct it, or end it with the line: true" >&2
    exit 1
  }
}

# Sets what the stages of run.sh use: the options, the paths and the common arguments of programs. Has the
# doctor look at what is asked for before a stage runs.
# shellcheck disable=SC1091,SC2034  # files of the recipe; variables of run.sh
begin() {
  # The options that are not given.
  stage=0
  stop_stage=6
  systems=all
  folds=
  seeds="1"
  conf=conf
  protocol=
  exp_dir=
  recogniser=.
  nj=
  jobs=
  ngpu=0
  max_minutes=
  force=false
  publish=false
  cmd=local
  launcher=()
  export SER_RUN_PID=$$ # its programs end when this shell is ended
  source_own cmd.sh
  parse_options "$@"
  if ! [ -d "$conf" ]; then usage_error "--conf is '$conf', which is no folder"; fi
  conf=$(CDPATH='' cd -- "$conf" && pwd) conf=${conf#"$PWD/"} # conf/ and its full path are conf
  if [[ $conf == /* ]] && [ "$conf" -ef conf ]; then conf=conf; fi
  . ./path.sh
  source_own db.sh
  # nproc does not know a container's share of the CPUs.
  nj=${nj:-$(python -c 'from ser.base.process import num_cores; print(num_cores())')}
  if [ -z "$recogniser" ]; then usage_error "--recogniser is empty"; fi
  if [ "$recogniser" -ef . ]; then recogniser=.; fi # ./ and its full path are this recipe
  protocol=${protocol:-$conf/protocol/paper.yaml}
  if [ "$systems" = all ]; then systems=$(names_in "$conf/systems"); fi

  # Where things lie: a second configuration has an experiment of its own, and features if they differ.
  dump=dump/fbank
  exp=exp
  published=.
  if [ "$conf" != conf ]; then
    exp=exp/$(basename "$conf")
    published=$conf
    if ! cmp -s "$conf/fbank.yaml" conf/fbank.yaml; then dump=dump/$(basename "$conf"); fi
  fi
  exp_dir=${exp_dir:-$exp}

  # Arguments.
  runs=(--conf "$conf" --protocol "$protocol" --systems "$systems" --seeds "$seeds" --folds "$folds"
    --feats "$dump/ser" --bpe "$recogniser/$exp/bpe" --pretrain "$recogniser/$exp/pretrain"
    --exp-dir "$exp_dir" --ngpu "$ngpu" --cmd "$cmd")
  if [ -n "$jobs" ]; then runs+=(--jobs "$jobs"); fi
  training=()
  if $force; then training+=(--force); fi
  if [ -n "$max_minutes" ]; then training+=(--max-minutes "$max_minutes"); fi
  scoring=()
  if $publish; then scoring+=(--publish "$published"); fi
  if [ "${#launcher[@]}" -eq 0 ]; then
    launcher=(python -m)
    if [ "$ngpu" -gt 1 ]; then launcher=(python -m ser.bin.torchrun --standalone --nproc-per-node "$ngpu" -m); fi
  fi
  if [ "$cmd" = slurm ]; then
    launcher=(python -m ser.bin.submit --conf conf/slurm.conf --out "$exp/slurm" --import-first pretrain
      "${launcher[@]}")
  fi

  # The doctor also says whether transcribed speech is prepared: for a recogniser that is trained here.
  doctor=(python -m ser.bin.doctor --conf "$conf" --systems "$systems" --protocol "$protocol"
    --folds "$folds" --seeds "$seeds" --exp-dir "$exp_dir" --recogniser "$recogniser" --nj "$nj"
    --ngpu "$ngpu" --cmd "$cmd" --stop-stage "$stop_stage" "${training[@]}")
  if [ -n "$jobs" ]; then doctor+=(--jobs "$jobs"); fi
  read_speech=$("${doctor[@]}" --stage "$stage" --read-speech)
  parts=(data/ser)
  if $read_speech; then parts+=(data/asr_train data/asr_valid); fi
}

# The names of the .yaml files in a folder, in their order.
names_in() {
  local file names=
  for file in "$1"/*.yaml; do
    file=${file##*/}
    names="$names ${file%.yaml}"
  done
  echo "${names# }"
}

# Looks at what is asked for from stage N on once more, now that what it reads is there.
# shellcheck disable=SC2154  # doctor is a variable of run.sh
look_again() {
  if [ "$1" -le "$stop_stage" ]; then
    "${doctor[@]}" --stage "$1" >&2
  fi
}

# Whether stage N is asked for; says so with its title.
# shellcheck disable=SC2154  # stage and stop_stage are variables of run.sh
stage() {
  if [ "$1" -lt "$stage" ] || [ "$1" -gt "$stop_stage" ]; then
    return 1
  fi
  printf '\n=== stage %s: %s\n' "$1" "$2" >&2
}
