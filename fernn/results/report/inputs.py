"""What the report depends on besides the files that it reads: plain values, known before anything has run."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fernn.files import sha256
from fernn.params import Params
from fernn.results.figures.kinds import panels
from fernn.runs import runs_of

if TYPE_CHECKING:
    from fernn.experiment import Experiment

PAGE = tuple(Path(__file__).parent / name for name in ("page.html", "parts.html", "style.css"))
UNSHOWN = {"source"}  # of a section: where files are fetched from


def report_inputs(
    params: Params,
    experiments: "Sequence[Experiment[Any]]",
    tables: Iterable[str],
    datasets: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """What the report says of the params and the code.

    Args:
        params: of the scale.
        experiments: that it runs.
        tables: the names of the paper's tables that these stand in.
        datasets: the inputs of each part of a data set, by its name.
    """
    return {
        "scale": params.scale,
        "tables": list(tables),
        "page": [sha256(path) for path in PAGE],
        "experiments": {each.name: _experiment(params, each) for each in experiments},
        # without digests of code: an edit that changes no result changes no page
        "datasets": {
            part: {name: value for name, value in inputs.items() if name not in ("code", "stand_ins")}
            for part, inputs in datasets.items()
        },
    }


def _experiment(params: Params, experiment: "Experiment[Any]") -> dict[str, Any]:
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
                "see": panel.kind.see,
                "shown": list(panel.shown),
                "moving": panel.moving if panel.kind.moving else None,
            }
            for panel in own
        ],
    }
