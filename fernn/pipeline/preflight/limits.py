"""Whether the longest run of a scale can end on a cluster, by the limits of its jobs."""

from collections.abc import Iterator, Mapping
from math import ceil
from pathlib import Path

import yaml

from fernn.params import Params
from fernn.pipeline.preflight.operations import Amount
from fernn.runs import Run

PROFILE = Path("slurm/config.yaml")


def too_short(params: Params, left: Mapping[Run, Amount], tries: int) -> Iterator[str]:
    """What does not end within the time limits of Slurm's jobs, a sentence for each.

    To Snakemake a job that reached its limit has failed. Tried again, a training goes on from its checkpoint, so that
    all tries count together; an evaluation begins anew, so that one has to be enough.

    Args:
        params: of the scale.
        left: hours of each run.
        tries: how often Snakemake starts a job that fails.
    """
    longest = max(left, key=lambda run: left[run].train)
    hours, limit = left[longest].train, params.resources.train.runtime / 60
    if hours > tries * limit:
        yield (
            f"With --profile slurm, training {longest.id} does not end: it takes {hours:.3g} h, and {tries} tries of "
            f"{limit:g} h end after {tries * limit:g} h. Set retries to {ceil(hours / limit)} in {PROFILE}, or raise "
            "resources.train.runtime in params.yaml."
        )
    longest = max(left, key=lambda run: left[run].evaluate)
    hours, limit = left[longest].evaluate, params.resources.evaluate.runtime / 60
    if hours > limit:
        yield (
            f"With --profile slurm, evaluating {longest.id} does not end: it takes {hours:.2g} h, its limit is "
            f"{limit:g} h, and another try begins anew. Raise resources.evaluate.runtime in params.yaml to "
            f"{ceil(9 * hours) * 10} minutes."
        )


def tries_of(profile: Path = PROFILE) -> int | None:
    """How often the profile for clusters lets Snakemake start a job; None where that profile is not."""
    try:
        return 1 + int(yaml.safe_load(profile.read_text(encoding="utf-8")).get("retries", 0))
    except FileNotFoundError:
        return None
