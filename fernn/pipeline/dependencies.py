"""What each stage of a scale depends on, written to files that DVC watches: the lineages of its jobs.

A change that no result depends on changes none of these files; nor does code that is known to make the same bytes.
"""

from pathlib import Path
from typing import Any

from fernn.files import write_json
from fernn.layout import KEPT, Layout
from fernn.params import Params
from fernn.pipeline.jobs import Jobs
from fernn.provenance.equivalence import representative


def dependencies(jobs: Jobs) -> dict[str, Any]:
    """The lineages of the jobs of each stage by name, as plain values, by the name of the stage."""

    def lineages(stage: str) -> dict[str, str]:
        return {name: representative(jobs.lineage(job), None) for name, job in jobs.of(stage).items()}

    return {
        "data": {"files": [path.as_posix() for path in jobs.sources()], "stand_ins": lineages("standins")},
        "datasets": lineages("dataset"),
        **{stage: lineages(stage) for stage in ("train", "evaluate", "tables", "figures", "report")},
    }


def write_dependencies(params: Params, layout: Layout) -> list[Path]:
    """Write them, one file for each stage; returns the files."""
    found = dependencies(Jobs(params, layout))
    for stage, values in found.items():
        write_json(layout.dependencies(stage), values)
    return [layout.dependencies(stage) for stage in found]


def left_behind(params: Params, layout: Layout) -> list[Path]:
    """Results of runs, data sets, tables and figures that the params no longer name: a run of a dropped seed, say."""
    wanted = {path for job in Jobs(params, layout).all.values() for path in (*job.writes, job.record)}
    found = (path for folder in (*KEPT, "superseded") for path in sorted((layout.base / folder).rglob("*")))
    return [path for path in found if path.is_file() and path not in wanted]


def prune(params: Params, layout: Layout) -> list[Path]:
    """Remove what `left_behind` finds, and the folders that it leaves empty; returns the files."""
    gone = left_behind(params, layout)
    for path in gone:
        path.unlink()
        for folder in path.parents:
            if folder == layout.base or any(folder.iterdir()):
                break
            folder.rmdir()
    return gone
