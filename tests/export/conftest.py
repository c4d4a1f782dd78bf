"""A project in a folder of its own, with made-up results of all three experiments, each with a true record."""

import json
import shutil
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import yaml

from fernn.experiments import load_params
from fernn.layout import Layout
from fernn.pipeline.audit import Audit
from fernn.pipeline.export.archive import METADATA
from fernn.pipeline.export.contents import FILES, TREES
from fernn.pipeline.export.crate import export
from fernn.pipeline.jobs import Jobs
from fernn.provenance.records import Record, write_record

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    "python": "3.11.2",
    "host": "a-name-that-no-metadata-have",
    "device": "A processor",
    "packages": {"fernn": "0.1.0", "numpy": "2.4.6"},
    "commit": None,
}


class Made:
    """The project, in the present folder; its scale is `tiny`, drawn stand-ins and all."""

    scale = "tiny"

    def __init__(self) -> None:
        for name in (*FILES, "params.yaml"):
            shutil.copy(ROOT / name, name)
        for name in TREES:
            shutil.copytree(ROOT / name, name, ignore=shutil.ignore_patterns("__pycache__"))
        Path("resources").symlink_to(ROOT / "resources")
        content = yaml.safe_load(Path("params.yaml").read_text())
        tiny = content["scales"]["quick"]
        for name, flow, models in (("translation", "V2T", ["G-RNN"]), ("rotation", "V4R", ["FERNN-V2R"])):
            tiny[name] |= {"seeds": [0], "runs": [{"flow": flow, "models": models, "evaluate": ["test"]}]}
        tiny["kth"] |= {"seeds": [0], "runs": [{"flow": "V2T", "models": ["G-RNN+"], "evaluate": ["V2T"]}]}
        content["scales"] = {"tiny": tiny}
        self.edit(lambda found: found.update(content))

    def edit(self, change: Any) -> None:
        """Change the content of params.yaml."""
        content = yaml.safe_load(Path("params.yaml").read_text())
        change(content)
        Path("params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))

    @property
    def jobs(self) -> Jobs:
        """Of the scale, by the params of now."""
        return Jobs(load_params("params.yaml", self.scale), Layout(self.scale))

    def make(self) -> None:
        """Write all files of all jobs, and their records: the hour tells their order."""
        jobs = self.jobs
        for job in jobs.all.values():
            for path in job.writes:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(f"what is in {path}")
        for path in jobs.sources():
            if not path.exists():  # what would be fetched
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("{}")
        audit = Audit(jobs)
        for place, job in enumerate(jobs.all.values()):
            read = {role: audit.digests(paths) for role, paths in job.reads.items()}
            digests: dict[str, Any] = {"files": read, "outputs": audit.digests(job.writes)}
            times = {"started": f"2026-01-01T{place:02}:00:01Z", "ended": f"2026-01-01T{place:02}:30:01Z"}
            about = {"inputs": job.inputs, "lineage": jobs.lineage(job), "environment": ENVIRONMENT, "details": {}}
            of = {"stage": job.stage, "name": job.name, "scale": self.scale}
            write_record(job.record, Record(**of, **about, **digests, **times))

    def export(self, to: Path | None = None, force: bool = False, without: tuple[str, ...] = ()) -> Path:
        """The archive."""
        jobs = self.jobs
        return export(jobs.params, jobs.layout, Path("params.yaml"), to, force, without)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """With results that are up to date."""
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    project = Made()
    project.make()
    return project


def graph(archive: Path) -> dict[str, dict[str, Any]]:
    """The entities of a crate by id."""
    with ZipFile(archive) as file:
        entities = json.loads(file.read(METADATA))["@graph"]
    found = {entity["@id"]: entity for entity in entities}
    assert len(found) == len(entities), "two entities have one id"
    return found
