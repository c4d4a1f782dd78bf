"""Code that is known to make the same results, byte for byte.

`fernn equivalent` runs a probe with the code that made some results and with today's code, and writes what it found
into equivalent.json beside this package. It names jobs by their lineages, which cover params, code and roles of files.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from fernn.errors import FernnError
from fernn.files import write_text
from fernn.provenance.code import PACKAGE

FILE = PACKAGE.parent / "equivalent.json"


class Probe(BaseModel):
    """One run of the probe.

    Attributes:
        commit: whose code made the results.
        time: in UTC.
        machine: that ran both.
        device: what torch computed on. Results of another device need a probe there.
        torch: its version.
        probe: digest of the probe itself.
        lineages: by scale and job, the lineage by that commit and by today's code.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    commit: str
    time: str
    machine: str
    device: Literal["cpu", "cuda"]
    torch: str
    probe: str
    lineages: dict[str, dict[str, tuple[str, str]]]


def read_probes(path: Path = FILE) -> list[Probe]:
    """The probes in a file, the earliest first; none if there is no such file.

    Raises:
        FernnError: if it is malformed.
    """
    try:
        return [Probe.model_validate(each) for each in json.loads(path.read_text(encoding="utf-8"))]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError, ValidationError) as error:
        raise FernnError(
            f"{path}: expected a list of probes as `fernn equivalent` writes them; found {str(error).splitlines()[0]}. "
            "Restore it from git, or remove it and run `fernn equivalent`."
        ) from None


def add_probe(probe: Probe, path: Path = FILE) -> None:
    """Write a probe to a file, in the place of the one of its commit and device if there is one."""
    found = {(each.commit, each.device): each for each in read_probes(path)}
    if before := found.get((probe.commit, probe.device)):
        probe = probe.model_copy(update={"lineages": {**before.lineages, **probe.lineages}})
    found[probe.commit, probe.device] = probe
    text = json.dumps([each.model_dump() for each in found.values()], indent=1)
    # a line for each job
    write_text(path, re.sub(r"\[\s+(\"\w+\"),\s+(\"\w+\")\s+\]", r"[\1, \2]", text) + "\n")


def representative(lineage: str, device: str | None) -> str:
    """One lineage that stands for all that are known to make the same bytes; the earliest known one.

    Args:
        lineage: of a job.
        device: what torch computes on, or None where torch computes nothing.
    """
    return _representatives(device).get(lineage, lineage)


@cache
def _representatives(device: str | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for probe in read_probes(FILE):
        if device in (None, probe.device):
            for before, now in (pair for jobs in probe.lineages.values() for pair in jobs.values()):
                kept, gone = found.get(before, before), found.get(now, now)
                found |= dict.fromkeys((before, now, *(k for k, v in found.items() if v == gone)), kept)
    return found
