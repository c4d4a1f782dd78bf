"""Whether this machine can do what is to be done, asked once, before the first download."""

from collections.abc import Iterable, Sequence
from typing import Any

from fernn.errors import FernnError
from fernn.params import Params


def refuse_without_gpu(params: Params, gpus: Sequence[str], needed: Iterable[Any]) -> None:
    """Stop where trainings or evaluations want a GPU that is not there: each would say so, after all else was done.

    Args:
        params: of the scale.
        gpus: that this machine has.
        needed: Snakemake's jobs that are to be run here.

    Raises:
        FernnError: if so.
    """
    want = [job.rule.name for job in needed if job.rule.name in ("train", "evaluate")]
    wanting = [name for name in want if getattr(params.resources, name).gpu]
    if wanting and not gpus and not params.allow_cpu:
        raise FernnError(
            f"scale {params.scale} computes on a GPU, and there is none here: {wanting.count('train')} trainings and "
            f"{wanting.count('evaluate')} evaluations are to be done. Start it on a machine with one (make setup there "
            "takes a CUDA build of torch), or on a cluster (--profile slurm); take --config scale=quick; or add "
            "allow_cpu=true to --config, where that may take months. Nothing was begun."
        )
