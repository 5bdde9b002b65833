# shellcheck shell=bash
# A Slurm of one node on this machine, without systemd: start_cluster FOLDER, stop_cluster.
# Needs root; Debian's slurm-wlm and munge.

PATH=$PATH:/usr/sbin:/sbin  # where Debian puts the daemons, and not every shell looks
cluster_programs=(munged slurmctld slurmd sbatch scancel squeue sinfo)

# Ends the script as skipped, which is neither a success nor a failure.
skip() {
  echo "skipped: $1"
  exit 77
}

# Installs the programs where that is possible.
install_cluster() {
  [ "$(id -u)" -eq 0 ] || skip "Slurm's daemons are started by root"
  if ! command -v "${cluster_programs[@]}" >/dev/null; then
    command -v apt-get >/dev/null || skip "no apt-get to install slurm-wlm and munge with"
    if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes \
      --no-install-recommends slurm-wlm munge; } >"$1/apt.log" 2>&1; then
      skip "slurm-wlm and munge cannot be installed: $(tail -n 1 "$1/apt.log")"
    fi
  fi
}

start_cluster() {
  cluster=$1
  local host port
  host=$(hostname -s)
  port=$((20000 + RANDOM % 10000))
  mkdir -p "$cluster/state" "$cluster/spool"
  chmod 755 "$cluster"
  export SLURM_CONF=$cluster/slurm.conf
  cat >"$SLURM_CONF" <<END
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$cluster/munge.socket
CredType=cred/munge
StateSaveLocation=$cluster/state
SlurmdSpoolDir=$cluster/spool
SlurmctldPidFile=$cluster/slurmctld.pid
SlurmdPidFile=$cluster/slurmd.pid
SlurmctldLogFile=$cluster/slurmctld.log
SlurmdLogFile=$cluster/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
ReturnToService=2
JobRequeue=0
MessageTimeout=60
SlurmdTimeout=0
SchedulerParameters=sched_interval=1,batch_sched_delay=0
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP
END
  head -c 1024 /dev/urandom >"$cluster/munge.key"
  chmod 600 "$cluster/munge.key"
  munged --socket="$cluster/munge.socket" --key-file="$cluster/munge.key" \
    --pid-file="$cluster/munged.pid" --log-file="$cluster/munged.log" \
    --seed-file="$cluster/munged.seed"
  slurmctld
  # Newer versions know "disabled"; older ones need a plugin, which linuxproc leaves unused.
  local plugin
  for plugin in disabled cgroup/v1 autodetect; do
    echo "CgroupPlugin=$plugin" >"$cluster/cgroup.conf"
    if slurmd 2>/dev/null; then break; fi
  done
  local waited=0
  until [ "$(sinfo --noheader --format %t)" = idle ]; do
    if [ $((waited += 1)) -gt 120 ]; then
      echo "error: the node does not come up; the end of its log:" >&2
      tail -n 5 "$cluster/slurmd.log" >&2
      return 1
    fi
    sleep 0.5
  done
}

# Ends all daemons; what they started ends with them.
stop_cluster() {
  local name pid waited=0
  scancel --user=root --state=PENDING 2>/dev/null
  scancel --user=root --signal=KILL --full 2>/dev/null
  for name in slurmd slurmctld munged; do
    if [ -f "$cluster/$name.pid" ] && pid=$(cat "$cluster/$name.pid"); then
      kill "$pid"
      while kill -0 "$pid" 2>/dev/null; do
        if [ $((waited += 1)) -gt 100 ]; then kill -KILL "$pid"; fi
        sleep 0.1
      done
    fi
  done
}
