"""What jobs ask of a machine or of Slurm, in the words of Snakemake and its executor; and who else is at their work."""

import getpass
import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from fernn.errors import FernnError
from fernn.params import Params
from fernn.params.base import AllResources

Asked = dict[str, int | str]
PER_GPU = ("mem_mb", "cpus_per_task", "local_gpu", "gpu", "gres")  # of a job, by the names of the executor's resources


def check_slurm() -> None:
    """Make sure that there is a Slurm to ask.

    Raises:
        FernnError: if there is none here, or it does not answer.
    """
    if shutil.which("sbatch") is None:
        raise FernnError(
            "no Slurm here: sbatch is not found. Log in to a node of a cluster from which jobs are submitted, or leave "
            "--profile slurm away and run on this machine. `fernn doctor` says what is here."
        )
    try:
        asked = subprocess.run(["scontrol", "ping"], capture_output=True, text=True, timeout=60)
        said = asked.stdout + asked.stderr
    except (OSError, subprocess.TimeoutExpired) as error:
        said = str(error)
    if " UP" not in said:
        raise FernnError(
            f"Slurm does not answer. scontrol ping says: {said.strip()}\nTry again later, or ask the site; without "
            "--profile slurm the jobs run on this machine."
        )


def refuse_without_gpu(params: Params, gpus: Sequence[str], needed: Iterable[Any]) -> None:
    """Refuse trainings and evaluations without the GPU that they need, before the first download.

    Args:
        params: of the scale.
        gpus: of this machine.
        needed: Snakemake's jobs that are to be run here.

    Raises:
        FernnError: if a job needs a GPU, and there is none.
    """
    want = [job.rule.name for job in needed if job.rule.name in ("train", "evaluate")]
    wanting = [name for name in want if getattr(params.resources, name).gpu]
    if wanting and not gpus and not params.allow_cpu:
        raise FernnError(
            f"scale {params.scale} computes on a GPU, and there is none here: {wanting.count('train')} trainings and "
            f"{wanting.count('evaluate')} evaluations are to be done. Start it on a machine with one (make setup there "
            "takes a CUDA build of torch), or on a cluster (--profile slurm); take --config scale=quick; or add "
            "allow_cpu=true to --config, where that may take months."
        )


def resources_of(resources: AllResources, stage: str, gpus: int | None = None) -> Asked:
    """What a job of a stage asks for, by the names of the executor's resources; what is not asked for is left out.

    Args:
        resources: of the params.
        stage: the kind of job.
        gpus: that it shares its work over, if not as many as the kind asks for.
    """
    wanted, slurm = getattr(resources, stage), resources.slurm
    gpus = wanted.gpu if gpus is None else gpus
    each = max(gpus, 1)  # a worker for each GPU, with memory and cores of its own
    asked: dict[str, int | str | None] = {
        "mem_mb": each * wanted.mem_mb,
        "runtime": wanted.runtime,
        "cpus_per_task": each * wanted.cpus,  # `threads` would be cut to the cores of the machine that submits
        "local_gpu": gpus,
        **site(resources),
    }
    if gpus:
        asked["nodes"] = 1
        asked["slurm_partition"] = os.environ.get("SBATCH_PARTITION") or slurm.gpu_partition or slurm.partition
        if slurm.gpus == "gpus":
            asked |= {"gpu": gpus, "gpu_model": slurm.gpu_model}
        elif slurm.gpus == "gres":
            asked["gres"] = ":".join(["gpu", *([slurm.gpu_model] if slurm.gpu_model else []), str(gpus)])
    return {name: value for name, value in asked.items() if value is not None}


def site(resources: AllResources) -> Asked:
    """What every job of this cluster asks for; sbatch's own variables go before the params, as they do for sbatch."""
    slurm = resources.slurm
    asked = {
        "slurm_account": os.environ.get("SBATCH_ACCOUNT") or slurm.account,
        "slurm_partition": os.environ.get("SBATCH_PARTITION") or slurm.partition,
        "qos": os.environ.get("SBATCH_QOS") or slurm.qos,
        "constraint": os.environ.get("SBATCH_CONSTRAINT") or slurm.constraint,
    }
    return {name: value for name, value in asked.items() if value is not None}


def after_predecessors(rule: str, wildcards: Iterable[str]) -> str:
    """The sbatch option that lets a job wait for jobs that a killed Snakemake left at the same work; mostly empty.

    They go on and keep their place in the queue; the new job starts after them, and finds their work done.
    """
    values = list(wildcards)
    # the executor's comment on its jobs
    comment = "_".join([f"rule_{rule}", *(["wildcards", *values] if values else [])]).replace("/", "_")
    jobs = _jobs_here().get(comment)
    return f"--dependency=afterany:{':'.join(jobs)}" if jobs else ""


@cache
def _jobs_here() -> dict[str, list[str]]:
    """Jobs of Slurm that Snakemake started in this folder, by comment; asked once, before this one starts any."""
    if shutil.which("squeue") is None:
        return {}
    try:
        asked = ["squeue", "--noheader", f"--user={getpass.getuser()}", "--format=%i|%Z|%k"]
        answer = subprocess.run(asked, capture_output=True, text=True, timeout=60)
    except (OSError, KeyError, subprocess.TimeoutExpired):
        return {}
    found: dict[str, list[str]] = {}
    for line in answer.stdout.splitlines():
        job, folder, comment = line.split("|", 2)
        if Path(folder).resolve() == Path.cwd().resolve():
            found.setdefault(comment, []).append(job)
    return found
