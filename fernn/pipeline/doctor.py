"""`fernn doctor`: what this machine has, and what to do where it lacks something."""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import yaml
from rich.console import Console
from rich.table import Table

from fernn.data.kth.archives import cores
from fernn.errors import FernnError, answer
from fernn.experiments import find_experiment
from fernn.gpus import visible_gpus
from fernn.layout import Layout
from fernn.params import Params
from fernn.pipeline.cost import PROFILE, disk, models
from fernn.pipeline.image import fetched
from fernn.pipeline.jobs import Jobs
from fernn.provenance.environment import version_of

# the Pythons that the project takes; a test holds pyproject.toml and the set-up to it
OLDEST, NEWEST = (3, 11), (3, 14)
PATIENCE = 10  # seconds for a program to answer


@dataclass(frozen=True)
class Finding:
    """One row: the subject, what was found, and what to do (empty: nothing)."""

    about: str
    found: str
    advice: str = ""


def examine(params: Params, layout: Layout) -> list[Finding]:
    """Check this machine for a scale."""
    checks = (_python, _torch, _room, _data, _slurm, _gres, _containers, _remote)
    return [finding for check in checks for finding in check(params, layout)]


def show(params: Params, layout: Layout, console: Console) -> bool:
    """Print the table; returns whether there is nothing to do."""
    title = f"This machine, for scale {params.scale}"
    table = Table("", "what is there", "what to do", title=title, title_justify="left")
    findings = examine(params, layout)
    for finding in findings:
        table.add_row(finding.about, finding.found, finding.advice or "-")
    console.print(table)
    return not any(finding.advice for finding in findings)


def _python(params: Params, layout: Layout) -> Iterator[Finding]:
    fits = OLDEST <= sys.version_info[:2] <= NEWEST
    pythons = " to ".join(f"{major}.{minor}" for major, minor in (OLDEST, NEWEST))
    yield Finding("Python", sys.version.split()[0], "" if fits else f"Python {pythons}: make setup PYTHON=...")
    # in the image a job runs, or a whole workflow; DVC and Slurm are used outside
    wanted = ("snakemake",) if "FERNN_IMAGE" in os.environ else ("snakemake", "dvc", "snakemake-executor-plugin-slurm")
    missing = [name for name in wanted if not version_of(name)]
    versions = ", ".join(f"{name} {version_of(name)}" for name in ("snakemake", "dvc") if version_of(name))
    advice = f"{', '.join(missing)} missing: make setup" if missing else ""
    yield Finding("workflow", versions or "not installed", advice)


def _torch(params: Params, layout: Layout) -> Iterator[Finding]:
    import torch

    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "no CUDA"
    gpus = visible_gpus()
    wanted = not params.allow_cpu
    advice = ""
    if (gpus or wanted) and not torch.version.cuda:
        why = "to use the GPU here" if gpus else "for the nodes that have GPUs"
        advice = f"install a CUDA build of the same torch version into .venv, {why}"
    elif gpus and not torch.cuda.is_available():
        advice = (
            "it cannot use the GPU, as when the driver is older than its CUDA: update the driver, or install a build "
            "of torch for an older CUDA (python -c 'import torch; torch.zeros(1).cuda()' says more)"
        )
    yield Finding("torch", f"{torch.__version__}, {build}", advice)
    advice = "none needed here if Slurm runs the jobs; else --scale quick, or allow_cpu" if wanted and not gpus else ""
    yield Finding("GPUs", f"{len(gpus)}: {', '.join(gpus)}" if gpus else "none", advice)
    yield Finding("CPU cores", str(cores()))


def _room(params: Params, layout: Layout) -> Iterator[Finding]:
    free = shutil.disk_usage(".").free
    try:
        wanted = sum(max(0, whole - taken) for _, taken, whole in disk(params, layout, models(params)))
        enough = free > 1.2 * wanted
        advice = "" if enough else f"the scale takes {wanted / 1e9:.1f} GB more: link results/ and data/ elsewhere"
    except FernnError as error:  # a package of a model is missing
        advice = str(error)
    yield Finding("disk", f"{free / 1e9:.0f} GB free here", advice)


def _data(params: Params, layout: Layout) -> Iterator[Finding]:
    missing = [path for path in Jobs(params, layout).sources() if not path.exists()]
    # an experiment that downloads data keeps it outside of results/
    folders = {folder for name in params.experiments for folder in find_experiment(name).disk(params, layout)}
    if not missing:
        yield Finding("data", "all there")
    elif not params.mnist.sources and not folders - {str(layout.base)}:
        yield Finding("data", "part of the repository, or drawn when needed")
    else:
        advice = f"snakemake data --cores 1 --config scale={params.scale}, with a network"
        yield Finding("data", f"{len(missing)} sources missing", advice)


def _slurm(params: Params, layout: Layout) -> Iterator[Finding]:
    if shutil.which("sbatch") is None:
        yield Finding("Slurm", "none here", "nothing, unless this is a cluster: then log in where sbatch is")
        return
    config = answer("scontrol", "show", "config", seconds=PATIENCE)
    if config is None:
        yield Finding("Slurm", "sbatch, but its controller does not answer", "ask the site; `scontrol ping` says more")
        return
    version = re.search(r"SLURM_VERSION\s*=\s*(\S+)", config)
    partitions = (answer("sinfo", "--noheader", "--format=%P", seconds=PATIENCE) or "").split()
    yield Finding("Slurm", f"{version[1] if version else 'there'}; partitions: {', '.join(partitions) or 'none'}")
    profile = yaml.safe_load(PROFILE.read_text(encoding="utf-8"))
    age = re.search(r"MinJobAge\s*=\s*(\d+)", config)
    # defaults of the plugin
    least = 3 * int(profile.get("slurm-init-seconds-before-status-checks", 40))
    asked = profile.get("slurm-status-command", "sacct")
    if asked == "squeue" and age:
        short = int(age[1]) < least
        advice = f"less than {least} s: set slurm-status-command: sacct in {PROFILE}, or ask sooner" if short else ""
        yield Finding("MinJobAge", f"{age[1]} s", advice)
    accounting = "AccountingStorageType" in config and "accounting_storage/none" not in config
    advice = "" if accounting or asked == "squeue" else f"sacct would hang: slurm-status-command: squeue in {PROFILE}"
    yield Finding("sacct", "has a database" if accounting else "no database behind it", advice)


def _gres(params: Params, layout: Layout) -> Iterator[Finding]:
    if shutil.which("sinfo") is None or not params.resources.train.gpu:
        return
    offered = sorted(set((answer("sinfo", "--noheader", "--format=%G", seconds=PATIENCE) or "").split()))
    fits = params.resources.slurm.gpus == "none" or any("gpu" in each for each in offered)
    advice = "" if fits else "no GPUs by name here: resources.slurm.gpus: none in params.yaml, and gpu_partition"
    yield Finding("GRES", ", ".join(offered) or "none", advice)


def _containers(params: Params, layout: Layout) -> Iterator[Finding]:
    there = [name for name in ("apptainer", "singularity", "podman", "docker") if shutil.which(name)]
    yield Finding("containers", ", ".join(there) or "none")
    if "FERNN_IMAGE" in os.environ:
        yield Finding("image", f"this runs in {os.environ['FERNN_IMAGE']}")
    elif params.image:
        try:
            yield Finding("image", f"{params.image}, {fetched(params.image).digest}")
        except FernnError:
            yield Finding("image", f"{params.image}, not here", "fernn image fetch, where there is a network")


def _remote(params: Params, layout: Layout) -> Iterator[Finding]:
    listed = answer("dvc", "remote", "list", seconds=PATIENCE) if shutil.which("dvc") else None
    if listed is None:
        advice = "" if "FERNN_IMAGE" in os.environ else "make setup, in a clone"
        yield Finding("DVC remote", "unknown: no dvc, or no DVC repository here", advice)
    else:
        yield Finding("DVC remote", ", ".join(line.split()[0] for line in listed.splitlines() if line) or "none")
