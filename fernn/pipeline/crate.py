"""`fernn export`: a scale as a Provenance Run Crate (Workflow Run RO-Crate 0.5), by the library rocrate.

The profile is https://w3id.org/ro/wfrun/provenance/0.5. Each record is a CreateAction of the `fernn` command that made
the result (a tool of the workflow), with what it read and wrote, by digest. The machine and the versions are property
values that actions share. One more action is the run of the whole workflow, and steps connect the two.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml
from rocrate.model.computationalworkflow import ComputationalWorkflow
from rocrate.model.contextentity import ContextEntity
from rocrate.model.entity import Entity
from rocrate.rocrate import ROCrate

from fernn.errors import FernnError
from fernn.experiments import experiments
from fernn.layout import Layout
from fernn.params import Params
from fernn.pipeline.archive import MIT, Contents, Member, gather, write_archive
from fernn.pipeline.audit import Status, leaves
from fernn.pipeline.jobs import Job, Jobs
from fernn.provenance.records import Record, identity

RO_CRATE = "1.1"  # the version that the profiles below refer to
RUN_TERMS = "https://w3id.org/ro/terms/workflow-run/context"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "Provenance Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
BIOSCHEMAS = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
COMPLETED = "http://schema.org/CompletedActionStatus"
ENGINE = "https://snakemake.github.io"
FORMATS = {  # media types by suffix, else text/plain; the system's own list differs from machine to machine
    ".csv": "text/csv",
    ".html": "text/html",
    ".json": "application/json",
    ".md": "text/markdown",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".safetensors": "application/octet-stream",
    ".tex": "application/x-tex",
    ".yaml": "application/yaml",
}
CITED = {"title", "version", "abstract", "authors", "keywords", "preferred-citation"}  # keys of CITATION.cff


def export(
    params: Params,
    layout: Layout,
    params_file: Path,
    to: Path | None = None,
    force: bool = False,
    without: Sequence[str] = (),
) -> Path:
    """Pack the results of a scale; returns the zip file `to`, by default results/fernn-<scale>.zip.

    `force` also packs results that are not up to date, and says so in the archive. `without` names files to leave
    out, such as "samples.safetensors"; * matches any part of a name.

    Raises:
        FernnError: if there are no results; without `force`, if some are not up to date; if a file of the project is
            missing, or the archive needs a file that is to be left out; or if CITATION.cff lacks a key.
    """
    contents = gather(Jobs(params, layout), params_file, force, without)
    path = to or layout.root / f"fernn-{params.scale}.zip"
    write_archive(path, contents.members.values(), _Description(contents).text(), contents.ended)
    return path


class _Description:
    """The metadata of an archive: the entities of a crate."""

    def __init__(self, contents: Contents) -> None:
        self.crate, self.contents, self.scale = ROCrate(version=RO_CRATE), contents, contents.jobs.params.scale
        self.crate.metadata.extra_contexts.append(RUN_TERMS)
        self.citation = _citation(contents.members["CITATION.cff"].source)
        self.content_digests = {name for each in experiments().values() for name in each.content_digests}

    def text(self) -> str:
        """The text of ro-crate-metadata.json: the same for the same results."""
        self._add()
        generated = self.crate.metadata.generate()
        compact = {**generated, "@graph": [_compact(entity) for entity in generated["@graph"]]}
        return json.dumps(compact, indent=1, sort_keys=True, ensure_ascii=False) + "\n"

    def _add(self) -> None:
        """Add all entities, in an order that only depends on the contents."""
        used = frozenset({MIT}).union(*map(self.contents.terms, self.contents.found))
        for terms in sorted(used, key=lambda terms: (terms != MIT, terms.name)):
            self._entity(terms.id, "CreativeWork", name=terms.name, description=terms.description)
        authors = [self._person(author) for author in self.citation["authors"]]
        for member in self.contents.members.values():
            if member.name != "Snakefile":
                self.crate.add_file(member.source, member.name, properties=self._described(member))
        workflow = self._workflow(authors)
        self._root(authors, self._provenance(workflow))

    def _entity(self, id: str, type: str, **properties: Any) -> Entity:
        return self.crate.add(ContextEntity(self.crate, id, properties={"@type": type, **properties}))

    def _file(self, name: str) -> Entity:
        """A file of the archive; its id is its name, quoted as in a URL (the "+" of "G-RNN+" has a meaning there)."""
        return self.crate.get(quote(name))

    def _person(self, author: dict[str, str]) -> Entity:
        group = author.get("name")  # a group of authors has this alone
        name = group or f"{author['given-names']} {author['family-names']}"
        return self._entity(f"#{name.replace(' ', '-')}", "Organization" if group else "Person", name=name)

    def _described(self, member: Member) -> dict[str, Any]:
        about: dict[str, Any] = {
            "name": member.name,
            "contentSize": str(member.size),
            "sha256": member.sha256,
            "encodingFormat": FORMATS.get(Path(member.name).suffix, "text/plain"),
        }
        if terms := self.contents.shown(member):
            about["license"] = [self.crate.get(each.id) for each in terms]
        if member.job:
            about["dateModified"] = _iso(member.time)
            found = self.contents.found[member.job]
            if found.status is not Status.CURRENT:
                about["creativeWorkStatus"] = f"{found.status.value}: {'; '.join(found.reasons)}"
        return about

    def _workflow(self, authors: list[Entity]) -> Entity:
        """The Snakefile as the main workflow; the rules that it includes are parts of it."""
        member = self.contents.members["Snakefile"]
        about = self._described(member) | {
            "@type": [*ComputationalWorkflow.TYPES, "HowTo"],  # it has steps
            "name": self.citation["title"],
            "version": str(self.citation["version"]),
            "license": self.crate.get(MIT.id),
            "creator": authors,
            "conformsTo": self._entity(BIOSCHEMAS, "CreativeWork", name="Bioschemas ComputationalWorkflow 1.0"),
        }
        workflow = self.crate.add_workflow(member.source, member.name, properties=about, main=True, lang="snakemake")
        for name in self.contents.members:
            if name.endswith(".smk"):
                self._file(name)["isPartOf"] = workflow
        return workflow

    def _root(self, authors: list[Entity], actions: list[Entity]) -> None:
        citation, contents, root = self.citation, self.contents, self.crate.root_dataset
        paper = citation["preferred-citation"]
        addresses = [f"https://doi.org/{each['value']}" for each in paper["identifiers"] if each["type"] == "doi"]
        article: dict[str, Any] = {"name": paper["title"], "datePublished": str(paper["year"])}
        article["author"] = [self._person(author) for author in paper["authors"]]
        description = (
            f"Models, metrics, evaluations, tables and figures of scale {self.scale}, with the workflow that made them "
            "and the record of each. Of data sets it holds the records alone, with the digests of what they were made "
            f"of. {' '.join(citation['abstract'].split())}"
        )
        if contents.without:
            description += f" Left out on request: files named {', '.join(contents.without)}."
        if contents.faults:
            root["creativeWorkStatus"] = "Not up to date"
            description += (
                f" {len(contents.faults)} of {len(contents.found)} results are NOT UP TO DATE and were exported with "
                f"--force: {'; '.join(contents.faults)}"
            )
        profiles = [
            self._entity(profile, "CreativeWork", name=name, version=profile.rsplit("/", 1)[1])
            for profile, name in PROFILES.items()
        ]
        about = {
            "name": f"{citation['title']}: results of scale {self.scale}",
            "description": description,
            "citation": self._entity((*addresses, "#paper")[0], "ScholarlyArticle", **article),
            "datePublished": _iso(contents.ended),
            "license": self.crate.get(MIT.id),
            "author": authors,
            "keywords": ", ".join(citation["keywords"]),
            "version": str(citation["version"]),
            "conformsTo": profiles,
            "mentions": actions,
        }
        for key, value in about.items():
            root[key] = value
        if "README.md" in contents.members:  # unless --without names it
            self._file("README.md")["about"] = root

    def _provenance(self, workflow: Entity) -> list[Entity]:
        """Add the actions, tools and steps; returns the actions, that of the whole workflow first."""
        run, records = self._run(workflow), self.contents.records
        stages = list(dict.fromkeys(job.stage for job in records))
        steps = {stage: self._step(stage, place) for place, stage in enumerate(stages, start=1)}
        workflow["step"] = list(steps.values())
        workflow["hasPart"] = [step["workExample"] for step in steps.values()]
        actions, controls = [], []
        for job, record in records.items():
            actions.append(action := self._action(job, record))
            about = {"name": f"Control of {job}", "instrument": steps[job.stage], "object": action}
            controls.append(self._entity(f"#control/{_name(job)}", "ControlAction", **about))
        engine = self._entity(ENGINE, "SoftwareApplication", name="Snakemake", url=ENGINE)
        engine["softwareRequirements"] = self._file("requirements/lock.txt")
        about = {"name": "The workflow engine at work", "instrument": engine, "object": controls, "result": run}
        self._entity("#engine", "OrganizeAction", **about)
        return [run, *actions]

    def _run(self, workflow: Entity) -> Entity:
        """The run of the whole workflow, with its params and all results."""
        formal = {
            "scale": {"additionalType": "Text", "description": "Which sizes of params.yaml hold."},
            "params": {"additionalType": "File", "description": "Every number of every experiment."},
        }
        scale, params = (
            self._entity(f"#param/{name}", "FormalParameter", name=name, **about) for name, about in formal.items()
        )
        value = self._entity(
            f"#scale/{self.scale}", "PropertyValue", name="scale", value=self.scale, exampleOfWork=scale
        )
        file = self._file("params.yaml")
        file["exampleOfWork"] = params
        scale["workExample"], params["workExample"] = value, file
        workflow["input"] = [scale, params]
        members = self.contents.members.values()
        return self._entity(
            "#run",
            "CreateAction",
            name=f"Run of the workflow at scale {self.scale}",
            description="From the first record's start to the last one's end; it may have been interrupted in between.",
            instrument=workflow,
            object=[file, value],
            result=[self._file(each.name) for each in members if each.job and each.source != each.job.record],
            startTime=_iso(min(record.started for record in self.contents.records.values())),
            endTime=_iso(self.contents.ended),
            actionStatus=COMPLETED,
        )

    def _step(self, stage: str, place: int) -> Entity:
        """A step of the workflow, and the command that it calls."""
        records = [record for job, record in self.contents.records.items() if job.stage == stage]
        versions = sorted({record.environment["packages"]["fernn"] for record in records})
        about = {"name": f"fernn {stage}", "softwareVersion": ", ".join(versions)}
        tool = self._entity(f"#fernn-{stage}", "SoftwareApplication", **about)
        return self._entity(f"#step/{stage}", "HowToStep", name=stage, position=str(place), workExample=tool)

    def _action(self, job: Job, record: Record) -> Entity:
        return self._entity(
            f"#{_name(job)}",
            "CreateAction",
            name=str(job),
            description=f"fernn {job} --scale {record.scale}, on {record.environment['device']}; see its record.",
            instrument=self.crate.get(f"#fernn-{job.stage}"),
            object=[self._recorded(Path(name), digest) for name, digest in record.read_files.items()],
            result=[self._recorded(Path(name), digest) for name, digest in record.outputs.items()],
            startTime=_iso(record.started),
            endTime=_iso(record.ended),
            actionStatus=COMPLETED,
            subjectOf=self._file(job.record.as_posix()),
            additionalProperty=[
                # actions with the same value share it; the name of the host stays in the record
                self._entity(f"#{name}/{identity(value)}", "PropertyValue", name=name, value=value)
                for name, value in leaves(record.environment)
                if value not in (None, [], {}) and name != "host"
            ],
        )

    def _recorded(self, path: Path, digest: str) -> Entity:
        """A file that was read or written: the one in the archive or, if that is left out or differs, a description."""
        member = self.contents.members.get(path.as_posix())
        if member and member.sha256 == digest:
            return self._file(path.as_posix())
        id = f"#{digest[:12]}/{path.as_posix()}"
        if known := self.crate.get(id):
            return known
        # what was fetched has a digest of the archives' digests, not of the file's bytes
        by_content = path.name in self.content_digests
        key, what = ("identifier", "identity of its archives") if by_content else ("sha256", "sha256")
        about = {"name": path.as_posix(), "description": f"Not in this archive; identified by its {what}.", key: digest}
        if self.contents.jobs.maker(path) is None and (terms := self.contents.of_source(path)):
            about["license"] = self.crate.get(terms.id)
        return self._entity(id, "CreativeWork", **about)


def _citation(path: Path) -> dict[str, Any]:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if lacking := CITED - set(content if isinstance(content, dict) else ()):
        raise FernnError(f"{path} lacks {', '.join(sorted(lacking))}, which the archive states; add them.")
    return dict(content)


def _name(job: Job) -> str:
    return "/".join(filter(None, (job.stage, job.name)))


def _iso(time: str) -> str:
    return time.replace("Z", "+00:00")  # the form that the profile requires


def _compact(entity: dict[str, Any]) -> dict[str, Any]:
    """Without lists of one or none, as RO-Crate 1.1 recommends."""
    single = {key: value[0] if isinstance(value, list) and len(value) == 1 else value for key, value in entity.items()}
    return {key: value for key, value in single.items() if value != []}
