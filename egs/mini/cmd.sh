# shellcheck shell=bash disable=SC2034
# Where training runs (--cmd has the last word):
#   local   here; stage 4 does --jobs runs side by side
#   slurm   as jobs of Slurm: stage 3 is one, stage 4 an array with a task for each run; sbatch's
#           options stand in conf/slurm.conf
cmd=local

# What starts stage 3 instead of "python -m" (or, with --ngpu above 1, torchrun on this machine), for
# instance on two nodes of 8 GPUs, the same command on both, with --ngpu 8:
#   launcher=(python -m ser.bin.torchrun --nnodes 2 --nproc-per-node 8 --rdzv-backend c10d
#     --rdzv-endpoint HOST:29400 -m)
# On Slurm put srun before it, and --nodes=2 and --ntasks-per-node=1 into conf/slurm.conf.
launcher=()
