#!/usr/bin/env bash
# Stages 3 and 4 on a real Slurm of one node, set up on this machine and torn down again: tasks that
# fail, are killed and are cancelled; the rerun; bits. Ends with "N passed, N failed"; status 77
# where Slurm cannot be installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD
. tests/slurm/cluster.sh

folder=$(mktemp -d)
chmod 755 "$folder"  # munge looks at the way to its socket
cluster=$folder/cluster
tear_down() {
  set +e  # whatever fails, go on
  if [ -n "${SLURM_CONF:-}" ]; then stop_cluster; fi
  rm -rf "$folder"
}
trap tear_down EXIT
install_cluster "$folder"
. tools/activate.sh
start_cluster "$cluster"

# Counts a check: a title, then the command that must succeed.
passed=0
failed=0
check() {
  local title=$1
  shift
  if "$@"; then
    echo "passed: $title"
    passed=$((passed + 1))
  else
    echo "FAILED: $title"
    failed=$((failed + 1))
  fi
}

# Waits until a command succeeds, two minutes at most.
wait_until() {
  local end=$((SECONDS + 120))
  until "$@"; do
    if [ "$SECONDS" -ge "$end" ]; then
      echo "error: two minutes were waited for: $*" >&2
      squeue --all --states=all >&2
      return 1
    fi
    sleep 0.05
  done
}

# The process that has a file open, once there is one that has written to it.
writer_of() {
  local descriptor
  wait_until [ -s "$1" ]
  for descriptor in /proc/[0-9]*/fd/*; do
    if [ "$descriptor" -ef "$1" ]; then
      descriptor=${descriptor#/proc/}
      echo "${descriptor%%/*}"
      return 0
    fi
  done
  return 1
}

# Calls the recipe, five minutes at most; what it says goes to the file "said", its status to the
# variable.
recipe() {
  status=0
  timeout 300 ./run.sh "$@" >said 2>&1 || status=$?
  sed 's/^/    /' said
}

says() { grep --quiet --fixed-strings -- "$1" said; }
is_finished() { [ -f "$1/run.json" ]; }
is_queue_empty() { [ -z "$(squeue --noheader)" ]; }
is_queue_filled() { ! is_queue_empty; }

# A recipe after stage 3, whose shell side is that of egs/mini.
mkdir "$folder/egs"
ln -s "$root/tools" "$folder/tools"
mkdir "$folder/egs/tiny"
cd "$folder/egs/tiny"
cp "$root"/egs/mini/{run,cmd,path,db}.sh .
PYTHONPATH=$root/tests${PYTHONPATH:+:$PYTHONPATH} python - <<'END'
from pathlib import Path
import pytest, torch
import tiny_recipe
torch.set_num_threads(1)
with pytest.MonkeyPatch.context() as patch:
    tiny_recipe.build(Path.cwd(), patch)
tiny_recipe.change_system("cnn_blstm_sa", training__max_epochs=120)
END
printf '%s\n' "# of one core" --cpus-per-task=1 --time=00:10:00 >conf/slurm.conf

echo "== stage 3: one job"
mv exp/pretrain pretrain_here
recipe --stage 3 --stop-stage 3 --systems transformer_tl --cmd slurm
check "it ends well" [ "$status" -eq 0 ]
check "its encoder is the one that was trained here" \
  cmp exp/pretrain/ctc/model.safetensors pretrain_here/ctc/model.safetensors

echo "== stage 4: an array of which one task is refused, one killed, one cancelled"
options=(--stage 4 --stop-stage 4 --systems "transformer cnn_blstm_sa" --folds "1 2")
refused=exp/transformer/seed1/fold1
whole=exp/transformer/seed1/fold2
killed=exp/cnn_blstm_sa/seed1/fold1
cancelled=exp/cnn_blstm_sa/seed1/fold2
mkdir -p "${refused%/*}"
exec 8>"${refused%/*}/.${refused##*/}.lock"
flock 8 # as a run that is at work there holds it
{
  kill -KILL "$(writer_of "$killed/train.jsonl")"
  writer_of "$cancelled/train.jsonl" >/dev/null
  scancel "$(squeue --noheader --array --states=RUNNING --format=%F_%K | grep '_3$')"
} &
recipe "${options[@]}" --cmd slurm
wait $!
flock --unlock 8
check "status 1" [ "$status" -eq 1 ]
check "three are named" says "3 of 4 runs failed; rerun the command to do those alone"
check "the other one is finished" is_finished "$whole"
check "the refused one is told" says "$refused: another run is writing here"
check "the killed one is told" says "_2 left it unfinished (FAILED)"
check "the cancelled one is told" says "CANCELLED AT"
for run in "$killed" "$cancelled"; do
  check "the end of its log is told ($run)" says "the end of $run/train.log:"
done
for task in 0 2 3; do
  check "so is that of its task's output ($task)" \
    grep --quiet "the end of exp/slurm/finetune_[0-9]*_$task.out:" said
done

echo "== an interrupted wait"
setsid ./run.sh "${options[@]}" --cmd slurm >said 2>&1 &
wait_until is_queue_filled
kill -TERM -- "-$!"
wait $! || true
check "cancels the array" wait_until is_queue_empty

echo "== the rerun"
before=$(stat --format %y "$whole/run.json")
recipe "${options[@]}" --cmd slurm
check "ends well" [ "$status" -eq 0 ]
check "leaves alone what was finished" says "1 of 4 runs are finished already"
check "and so its files" [ "$before" = "$(stat --format %y "$whole/run.json")" ]
check "goes on from the cancelled one's checkpoint" \
  grep --quiet "going on after step [1-9]" "$cancelled/train.log"
check "submits three tasks" [ "$(find exp/slurm -name 'finetune_*_1.out' | wc -l)" -eq 1 ]

echo "== the same runs here, with as many threads"
mkdir exp_here
cp -r exp/folds exp_here/folds
recipe "${options[@]}" --exp-dir exp_here --jobs "$(nproc)"
for run in "$refused" "$whole" "$killed" "$cancelled"; do
  check "the same bits ($run)" \
    cmp "$run/model.safetensors" "exp_here/${run#exp/}/model.safetensors"
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
