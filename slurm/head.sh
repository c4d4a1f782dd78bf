#!/bin/bash
#SBATCH --job-name=fernn-head
#SBATCH --cpus-per-task=1
#SBATCH --mem=4G
#SBATCH --time=7-00:00:00
#SBATCH --output=fernn-head-%j.log
# Snakemake as a job, for sites that kill long processes on login nodes (docs/cluster.md): sbatch slurm/head.sh
set -eu
cd "$SLURM_SUBMIT_DIR"
exec .venv/bin/snakemake --cores all --profile slurm "$@"
