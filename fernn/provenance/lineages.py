"""Code that is known to make the same results, byte for byte.

`fernn equivalent` runs a probe with the code that made some results and with today's code, and writes what it found
into equivalent.json beside this package. It names jobs by their lineages, which cover params, code and roles of files.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from fernn.errors import FernnError
from fernn.files import write_text
from fernn.provenance.code import PACKAGE

FILE = PACKAGE.parent / "equivalent.json"


class Probe(BaseModel):
    """One run of the probe."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    commit: str  # whose code made the results
    time: str  # in UTC
    machine: str
    device: Literal["cpu", "cuda"]  # results of another device need a probe there
    torch: str  # its version
    probe: str  # digest of the probe itself
    lineages: dict[str, dict[str, tuple[str, str]]]  # by scale and job, by that commit and by today's code


def read_probes(path: Path = FILE) -> list[Probe]:
    """The probes in a file, the earliest first; none if there is no such file.

    Raises:
        FernnError: if it is malformed.
    """
    try:
        return TypeAdapter(list[Probe]).validate_json(path.read_bytes())
    except FileNotFoundError:
        return []
    except ValidationError as error:
        raise FernnError(
            f"{path}: expected a list of probes as `fernn equivalent` writes them; found {str(error).splitlines()[0]}. "
            "Restore it from git, or remove it and run `fernn equivalent`."
        ) from None


def add_probe(probe: Probe, path: Path = FILE) -> None:
    """Write a probe to a file; it replaces the one of its commit and device."""
    found = {(each.commit, each.device): each for each in read_probes(path)}
    if before := found.get((probe.commit, probe.device)):
        probe = probe.model_copy(update={"lineages": {**before.lineages, **probe.lineages}})
    found[probe.commit, probe.device] = probe
    text = json.dumps([each.model_dump() for each in found.values()], indent=1)
    # a line for each job
    _representatives.cache_clear()
    write_text(path, re.sub(r"\[\s+(\"\w+\"),\s+(\"\w+\")\s+\]", r"[\1, \2]", text) + "\n")


def representative(lineage: str, device: str | None) -> str:
    """The earliest lineage known to make the same bytes; `device`: what torch computes on, None if it does not."""
    return _representatives(device).get(lineage, lineage)


@cache
def _representatives(device: str | None) -> dict[str, str]:
    """For each lineage that a probe names, the earliest one that pairs connect with it."""
    probes = [probe for probe in read_probes(FILE) if device in (None, probe.device)]
    pairs = [pair for probe in probes for jobs in probe.lineages.values() for pair in jobs.values()]
    place = {lineage: number for number, lineage in enumerate(dict.fromkeys(each for pair in pairs for each in pair))}
    same = {lineage: [lineage] for lineage in place}
    for one, other in pairs:
        if same[one] is not same[other]:
            joined = sorted(same[one] + same[other], key=place.__getitem__)
            same |= dict.fromkeys(joined, joined)
    return {lineage: joined[0] for lineage, joined in same.items()}
