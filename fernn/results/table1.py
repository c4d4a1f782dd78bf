"""Table 1 of the paper: test MSE of the flowing MNIST experiments."""

from dataclasses import dataclass

from fernn.params import Params
from fernn.results.plan import TABLE1
from fernn.results.published import Claim, Published, Verdict, claims, compare, lower_is_better, order, published
from fernn.results.reading import read_step_errors
from fernn.results.selection import Selection
from fernn.results.summary import Summary, summarize
from fernn.runs import Layout, evaluations_of

TABLE = "table1"


@dataclass(frozen=True)
class Row:
    """A model trained and tested on the data of one flow: our figure, the paper's, and the comparison."""

    selection: Selection
    ours: Summary
    paper: Published
    verdict: Verdict


def rows(params: Params, layout: Layout, selections: list[Selection]) -> list[Row]:
    """One row for each selection of these experiments whose test error is measured, in the order of params.yaml.

    Raises:
        FernnError: if the evaluation.json of a run is missing or malformed.
    """
    found = []
    for selection in selections:
        if selection.experiment not in TABLE1 or "test" not in evaluations_of(params, selection.runs[0]):
            continue
        steps = getattr(params, selection.experiment).data.predicted
        ours = summarize(read_step_errors(layout, run, "test", steps).mse for run in selection.runs)
        paper = published(TABLE, selection.experiment, selection.flow, selection.model)
        found.append(Row(selection, ours, paper, compare(ours, paper, params.scale, lower_is_better(TABLE))))
    return found


def ranking(table: list[Row]) -> dict[tuple[str, str], list[Claim]]:
    """The paper's ranking of the models held against the rows, by experiment and flow."""
    figures: dict[tuple[str, str], dict[str, Summary]] = {}
    for row in table:
        figures.setdefault((row.selection.experiment, row.selection.flow), {})[row.selection.model] = row.ours
    return {key: claims(ours, order(TABLE, *key), lower_is_better(TABLE)) for key, ours in figures.items()}
