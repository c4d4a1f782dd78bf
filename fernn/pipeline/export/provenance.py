"""How the results came about, as actions: one for each record, one for the whole, and the steps between.

Each record is a CreateAction of the command of `fernn` that made the result (a tool of the workflow), with what it read
and wrote, by their digests; the machine and the versions are property values that actions share.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rocrate.model.contextentity import ContextEntity
from rocrate.model.entity import Entity
from rocrate.rocrate import ROCrate

from fernn.data.kth.archives import RECORD as FETCHED
from fernn.pipeline.export.contents import Contents
from fernn.pipeline.jobs import Job
from fernn.provenance.digests import identity
from fernn.provenance.records import Record

COMPLETED = "http://schema.org/CompletedActionStatus"
ENGINE = "https://snakemake.github.io"


def add_provenance(crate: ROCrate, contents: Contents, workflow: Entity) -> list[Entity]:
    """Add the actions, tools and steps; returns the actions, that of the whole workflow first."""
    run = _add_run(crate, contents, workflow)
    records = contents.records
    stages = list(dict.fromkeys(job.stage for job in records))
    steps = {stage: _add_step(crate, stage, place, records) for place, stage in enumerate(stages, start=1)}
    workflow["step"] = list(steps.values())
    workflow["hasPart"] = [step["workExample"] for step in steps.values()]
    actions, controls = [], []
    for job, record in records.items():
        actions.append(action := _add_action(crate, contents, job, record))
        about = {"name": f"Control of {job}", "instrument": steps[job.stage], "object": action}
        controls.append(_add(crate, f"#control/{_name(job)}", "ControlAction", **about))
    engine = _add(crate, ENGINE, "SoftwareApplication", name="Snakemake", url=ENGINE)
    engine["softwareRequirements"] = file_of(crate, "requirements/lock.txt")
    about = {"name": "The workflow engine at work", "instrument": engine, "object": controls, "result": run}
    _add(crate, "#engine", "OrganizeAction", **about)
    return [run, *actions]


def _add_run(crate: ROCrate, contents: Contents, workflow: Entity) -> Entity:
    """The run of the whole workflow: of which params, at which scale, and all that came of it."""
    scale = contents.jobs.params.scale
    parameters = {
        "scale": {"additionalType": "Text", "description": "Which sizes of params.yaml hold."},
        "params": {"additionalType": "File", "description": "Every number of every experiment."},
    }
    formal = {
        name: _add(crate, f"#param/{name}", "FormalParameter", name=name, **about) for name, about in parameters.items()
    }
    value = _add(crate, f"#scale/{scale}", "PropertyValue", name="scale", value=scale, exampleOfWork=formal["scale"])
    file = file_of(crate, "params.yaml")
    file["exampleOfWork"] = formal["params"]
    for name, example in (("scale", value), ("params", file)):
        formal[name]["workExample"] = example
    workflow["input"] = list(formal.values())
    results = [member.name for member in contents.members.values() if member.job and member.source != member.job.record]
    return _add(
        crate,
        "#run",
        "CreateAction",
        name=f"Run of the workflow at scale {scale}",
        description="From the first record's start to the last one's end; it may have been interrupted in between.",
        instrument=workflow,
        object=[file, value],
        result=[file_of(crate, name) for name in results],
        startTime=iso(contents.started),
        endTime=iso(contents.ended),
        actionStatus=COMPLETED,
    )


def _add_step(crate: ROCrate, stage: str, place: int, records: dict[Job, Record]) -> Entity:
    """A step of the workflow, and the command that it calls."""
    of_stage = [record for job, record in records.items() if job.stage == stage]
    versions = sorted({record.environment["packages"]["fernn"] for record in of_stage})
    about = {"name": f"fernn {stage}", "softwareVersion": ", ".join(versions)}
    tool = _add(crate, f"#fernn-{stage}", "SoftwareApplication", **about)
    return _add(crate, f"#step/{stage}", "HowToStep", name=stage, position=str(place), workExample=tool)


def _add_action(crate: ROCrate, contents: Contents, job: Job, record: Record) -> Entity:
    """What a record tells."""
    return _add(
        crate,
        f"#{_name(job)}",
        "CreateAction",
        name=str(job),
        description=f"fernn {job} --scale {record.scale}, on {record.environment['device']}; see its record.",
        instrument=crate.get(f"#fernn-{job.stage}"),
        object=[_file(crate, contents, Path(name), digest) for name, digest in record.read_files.items()],
        result=[_file(crate, contents, Path(name), digest) for name, digest in record.outputs.items()],
        startTime=iso(record.started),
        endTime=iso(record.ended),
        actionStatus=COMPLETED,
        subjectOf=file_of(crate, job.record.as_posix()),
        additionalProperty=[_fact(crate, name, value) for name, value in _facts(record.environment)],
    )


def _file(crate: ROCrate, contents: Contents, path: Path, digest: str) -> Entity:
    """A file that was read or written: the one of the archive, or else (left out, or other today) what it was then."""
    member = contents.members.get(path.as_posix())
    if member and member.sha256 == digest:
        return file_of(crate, path.as_posix())
    id = f"#{digest[:12]}/{path.as_posix()}"
    if known := crate.get(id):
        return known
    # of what was fetched the digest is one of the archives' digests, not of the file's bytes
    key, what = ("identifier", "identity of its archives") if path.name == FETCHED else ("sha256", "sha256")
    about = {"name": path.as_posix(), "description": f"Not in this archive; told by its {what}.", key: digest}
    maker = contents.jobs.maker(path)
    if maker is None and (terms := contents.origins.of_source(path)):
        about["license"] = crate.get(terms.id)
    return _add(crate, id, "CreativeWork", **about)


def _fact(crate: ROCrate, name: str, value: Any) -> Entity:
    """One fact of a machine, or the version of a package; actions with the same one share it."""
    return _add(crate, f"#{name}/{identity(value)}", "PropertyValue", name=name, value=value)


def _facts(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """An environment as pairs, such as packages.torch; the name of the host stays in the record."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _facts(value, f"{prefix}{name}.")
        elif value not in (None, []) and name != "host":
            yield f"{prefix}{name}", value


def _name(job: Job) -> str:
    return "/".join(filter(None, (job.stage, job.name)))


def file_of(crate: ROCrate, name: str) -> Entity:
    """A file of the archive; its id is its name, quoted as in an address ("G-RNN+" has a sign that means something)."""
    return crate.get(quote(name))


def iso(time: str) -> str:
    """A time of a record, in UTC, as the profile wants it."""
    return time.replace("Z", "+00:00")


def _add(crate: ROCrate, id: str, type: str, **properties: Any) -> Entity:
    return crate.add(ContextEntity(crate, id, properties={"@type": type, **properties}))
