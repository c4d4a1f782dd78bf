"""The metadata of an archive: a Provenance Run Crate (Workflow Run RO-Crate 0.5), by the library rocrate.

https://w3id.org/ro/wfrun/provenance/0.5; it is a Workflow Run Crate, a Process Run Crate and a Workflow RO-Crate too.
"""

import json
from pathlib import Path
from typing import Any

import yaml
from rocrate.model.computationalworkflow import ComputationalWorkflow
from rocrate.model.contextentity import ContextEntity
from rocrate.model.entity import Entity
from rocrate.rocrate import ROCrate

from fernn.errors import FernnError
from fernn.pipeline.audit import State
from fernn.pipeline.export.contents import Contents, Member
from fernn.pipeline.export.provenance import add_provenance, file_of, iso
from fernn.pipeline.export.terms import ALL, MIT

RO_CRATE = "1.1"  # which the profiles below are of
RUN_TERMS = "https://w3id.org/ro/terms/workflow-run/context"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "Provenance Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
BIOSCHEMAS = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
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


def metadata(contents: Contents) -> str:
    """The text of ro-crate-metadata.json: the same for the same results.

    Raises:
        FernnError: if CITATION.cff lacks what the archive tells of it.
    """
    citation = _citation(contents.members["CITATION.cff"].source)
    crate = ROCrate(version=RO_CRATE)
    crate.metadata.extra_contexts.append(RUN_TERMS)
    used = frozenset({MIT}).union(*map(contents.origins.terms, contents.findings))
    for terms in ALL:
        if terms in used:
            _add(crate, terms.id, "CreativeWork", name=terms.name, description=terms.description)
    for author in citation["authors"]:
        _add(crate, *_person(author))
    for member in contents.members.values():
        if member.name != "Snakefile":
            crate.add_file(member.source, member.name, properties=_described(crate, contents, member))
    workflow = _add_workflow(crate, contents, citation)
    actions = add_provenance(crate, contents, workflow)
    _describe_root(crate, contents, citation, actions)
    generated = crate.metadata.generate()
    compact = {**generated, "@graph": [_compact(entity) for entity in generated["@graph"]]}
    return json.dumps(compact, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _add_workflow(crate: ROCrate, contents: Contents, citation: dict[str, Any]) -> Entity:
    """The Snakefile as the main workflow; the rules that it includes say that they are parts of it."""
    member = contents.members["Snakefile"]
    about = _described(crate, contents, member) | {
        "@type": [*ComputationalWorkflow.TYPES, "HowTo"],  # it has steps
        "name": citation["title"],
        "version": str(citation["version"]),
        "license": crate.get(MIT.id),
        "creator": [crate.get(_person(author)[0]) for author in citation["authors"]],
        "conformsTo": _add(crate, BIOSCHEMAS, "CreativeWork", name="Bioschemas ComputationalWorkflow 1.0"),
    }
    workflow = crate.add_workflow(member.source, member.name, properties=about, main=True, lang="snakemake")
    for name in contents.members:
        if name.endswith(".smk"):
            file_of(crate, name)["isPartOf"] = workflow
    return workflow


def _describe_root(crate: ROCrate, contents: Contents, citation: dict[str, Any], actions: list[Entity]) -> None:
    """What the archive is, as a whole."""
    scale, root, paper = contents.jobs.params.scale, crate.root_dataset, citation["preferred-citation"]
    addresses = [f"https://doi.org/{each['value']}" for each in paper["identifiers"] if each["type"] == "doi"]
    article: dict[str, Any] = {"name": paper["title"], "datePublished": str(paper["year"])}
    article["author"] = [_add(crate, *_person(author)) for author in paper["authors"]]
    root["citation"] = _add(crate, (*addresses, "#paper")[0], "ScholarlyArticle", **article)
    root["name"] = f"{citation['title']}: results of scale {scale}"
    told = (
        f"Models, metrics, evaluations, tables and figures of scale {scale}, with the workflow that made them and the "
        "record of each. Data sets are not part of it; their records are, with the digests of what they were made of. "
    ) + " ".join(citation["abstract"].split())
    if contents.without:
        told += f" Left out by wish: files by the name of {', '.join(contents.without)}."
    if contents.faults:
        told += (
            f" {len(contents.faults)} of {len(contents.findings)} results are NOT UP TO DATE, and were exported by "
            f"force all the same: {'; '.join(contents.faults)}"
        )
        root["creativeWorkStatus"] = "Not up to date"
    root["description"] = told
    root["datePublished"] = iso(contents.ended)
    root["license"] = crate.get(MIT.id)
    root["author"] = [crate.get(_person(author)[0]) for author in citation["authors"]]
    root["keywords"] = ", ".join(citation["keywords"])
    root["version"] = str(citation["version"])
    root["conformsTo"] = [
        _add(crate, profile, "CreativeWork", name=name, version=profile.rsplit("/", 1)[1])
        for profile, name in PROFILES.items()
    ]
    root["mentions"] = actions
    if "README.md" in contents.members:  # --without leaves out what it names
        file_of(crate, "README.md")["about"] = root


def _described(crate: ROCrate, contents: Contents, member: Member) -> dict[str, Any]:
    """The properties of a file."""
    about: dict[str, Any] = {
        "name": member.name,
        "contentSize": str(member.size),
        "sha256": member.sha256,
        "encodingFormat": FORMATS.get(Path(member.name).suffix, "text/plain"),
    }
    if terms := contents.origins.shown(member.job, member.source):
        about["license"] = [crate.get(each.id) for each in terms]
    if member.job:
        about["dateModified"] = iso(member.time)
        found = contents.findings[member.job]
        if found.state is not State.DONE:
            about["creativeWorkStatus"] = f"{found.state.value}: {'; '.join(found.reasons)}"
    return about


def _citation(path: Path) -> dict[str, Any]:
    """CITATION.cff, with all that is told of it."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    needed = {"title", "version", "abstract", "authors", "keywords", "preferred-citation"}
    if lacking := needed - set(content if isinstance(content, dict) else ()):
        raise FernnError(f"{path} lacks {', '.join(sorted(lacking))}, which the archive tells; add them.")
    return dict(content)


def _person(author: dict[str, str]) -> tuple[str, str, str]:
    """The id, type and name of an author of CITATION.cff: a person, or a group that has a name alone."""
    group = author.get("name")
    name = group or f"{author['given-names']} {author['family-names']}"
    return f"#{name.replace(' ', '-')}", "Organization" if group else "Person", name


def _compact(entity: dict[str, Any]) -> dict[str, Any]:
    """Without lists of one or none, as RO-Crate 1.1 recommends."""
    single = {key: value[0] if isinstance(value, list) and len(value) == 1 else value for key, value in entity.items()}
    return {key: value for key, value in single.items() if value != []}


def _add(crate: ROCrate, id: str, type: str, name: str, **properties: Any) -> Entity:
    return crate.add(ContextEntity(crate, id, properties={"@type": type, "name": name, **properties}))
