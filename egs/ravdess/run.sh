#!/usr/bin/env bash
# Speech emotion recognition that starts from speech recognition (Park & Kim, 2021).
#
# Usage: ./run.sh [options]
#
#   --stage N             first stage to run (0)
#   --stop-stage N        last stage to run (6)
#   --systems "A B"       systems to train, predict and score, each a <conf>/systems/<name>.yaml
#                         (all: those that are there)
#   --folds "1 2"         held-out folds (all of the protocol); of some, stage 6 writes
#                         RESULTS.partial.md, ... and leaves what is of all
#   --seeds "1 2"         seeds of fine-tuning
#   --conf DIR            configuration (conf); another one is an experiment of its own beside it:
#                         conf/whisper in exp/whisper, and with other features in dump/whisper
#   --protocol FILE       who is held out (<conf>/protocol/paper.yaml)
#   --exp-dir DIR         folds, systems, predictions and results (exp, or exp/<name of conf>)
#   --recogniser DIR      recipe whose BPE and encoders are taken (.: this one trains its own);
#                         none: only systems from scratch
#   --nj N                processes of feature extraction (the cores)
#   --cmd local|slurm     where stages 3 and 4 run (cmd.sh)
#   --jobs N              fine-tuning runs side by side (one a GPU, else one a core and at most 4;
#                         on Slurm as many as it starts)
#   --ngpu N              GPUs: all of them train one encoder, each fine-tunes a run (0: the CPU)
#   --max-minutes N       stages 3 and 4 leave after so long, with status 75; rerun to go on
#   --force               move finished runs of another configuration aside and train anew
#   --publish             copy RESULTS.md into this folder (or that of another configuration)
#   --help                this text
#
# 0 data, 1 features, 2 BPE, 3 pre-training, 4 fine-tuning, 5 prediction, 6 scoring. Rerunning is
# safe: what was extracted, trained or predicted is kept, and what was killed goes on.
set -euo pipefail
CDPATH='' cd -- "$(dirname "${BASH_SOURCE[0]}")"
. ../../tools/recipe.sh

begin "$@"

if stage 0 "data preparation: corpora -> data/{asr_train,asr_valid,ser}, folds, their audit"; then
  local/data.sh "${parts[@]}"
  python -m ser.bin.make_folds data/ser "$exp_dir/folds" --protocol "$protocol" --folds "$folds"
  python -m ser.bin.audit data/ser "$exp_dir" --protocol "$protocol"
  look_again 1
fi

if stage 1 "features: log-mel filterbank -> $dump"; then
  python -m ser.bin.make_feats "${parts[@]}" \
    --out "$dump" --conf "$conf" --systems "$systems" --nj "$nj"
fi

if $read_speech &&
  stage 2 "subword units: BPE of the recogniser's transcripts -> $exp/bpe"; then
  python -m ser.bin.train_bpe data/asr_train "$exp/bpe" --conf "$conf"
  look_again 3
fi

if [ "$recogniser" = . ] &&
  stage 3 "pre-training: the encoders that systems start from -> $exp/pretrain"; then
  "${launcher[@]}" ser.bin.pretrain --conf "$conf" --systems "$systems" \
    --data data --feats "$dump" --bpe "$exp/bpe" --out "$exp/pretrain" \
    --weights "${WHISPER:-}" --ngpu "$ngpu" "${training[@]}"
fi

if stage 4 "fine-tuning: each system on all folds but one -> $exp_dir/<system>"; then
  python -m ser.bin.finetune "${runs[@]}" "${training[@]}"
fi

if stage 5 "prediction: each model on the fold it never saw -> $exp_dir/predictions"; then
  python -m ser.bin.predict "${runs[@]}"
fi

if stage 6 "scoring -> $exp_dir/RESULTS.md"; then
  python -m ser.bin.score --conf "$conf" --systems "$systems" --seeds "$seeds" --folds "$folds" \
    --feats "$dump/ser" --pretrain "$recogniser/$exp/pretrain" --exp-dir "$exp_dir" \
    --command "$command_line" "${scoring[@]}"
fi
