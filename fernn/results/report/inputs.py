"""What the report depends on besides the files that it reads: plain values, known before anything has run."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from fernn.files import sha256
from fernn.params import Params
from fernn.results.claims.evidence import Evidence
from fernn.results.figures.kinds import Drawn, panels
from fernn.results.report.graph import Step, workflow
from fernn.runs import runs_of

PAGE = tuple(Path(__file__).parent / name for name in ("page.html", "parts.html", "style.css"))
UNSHOWN = {"source"}  # of a section: where files are fetched from


class Reported(Drawn, Protocol):
    """An experiment, as far as the report asks."""

    evidence: Evidence


class Made(Step, Protocol):
    """A job, as far as the report asks."""

    @property
    def inputs(self) -> dict[str, Any]:
        """What its bytes depend on besides files."""


def report_inputs(
    params: Params, experiments: Sequence[Reported], tables: Iterable[str], jobs: Sequence[Made], fetched: str
) -> dict[str, Any]:
    """What the report says of the params, the code and the workflow.

    Args:
        params: of the scale.
        experiments: that it runs.
        tables: the names of the paper's tables that these stand in.
        jobs: all but the report's own.
        fetched: the experiment whose files may be stand-ins that a job draws.
    """
    names = [each.name for each in experiments]
    return {
        "scale": params.scale,
        "tables": list(tables),
        "page": [sha256(path) for path in PAGE],
        "experiments": {each.name: _experiment(params, each) for each in experiments},
        "datasets": {job.name: _values(job) for job in jobs if job.stage == "dataset"},
        "graph": workflow(jobs, names, fetched),
    }


def _experiment(params: Params, experiment: Reported) -> dict[str, Any]:
    count = experiment.evidence.generators
    section = params.section(experiment.name)
    own = panels(params, [experiment])
    return {
        "params": section.model_dump(exclude=UNSHOWN),
        "generators": {model: count(params, model) for model in section.models} if count else {},
        "runs": [
            {"id": run.id, "flow": run.flow, "model": run.model, "learning_rate": run.learning_rate, "seed": run.seed}
            for run in runs_of(params, experiment.name)
        ],
        "figures": [
            {
                "name": panel.name,
                "kind": panel.kind.name,
                "see": panel.kind.see,
                "shown": list(panel.shown),
                "moving": panel.moving if panel.kind.moving else None,
            }
            for panel in own
        ],
    }


def _values(job: Made) -> dict[str, Any]:
    """The inputs but for digests of code: an edit that changes no result changes no page."""
    return {name: value for name, value in job.inputs.items() if name not in ("code", "stand_ins")}
