"""Tables and figures of a tree of runs, made as the stages make them."""

from pathlib import Path

from fernn.experiment import Experiment
from fernn.experiments import find_experiment
from fernn.layout import Layout
from fernn.params import Params
from fernn.results import selection
from fernn.results.figures import kinds as figures
from fernn.results.selection import Selection
from fernn.results.tables import writing as tables


def chosen(params: Params) -> list[Experiment]:
    return [find_experiment(name) for name in params.experiments]


def select(params: Params, layout: Layout) -> list[Selection]:
    return selection.select(params, layout, chosen(params))


def table_names(params: Params) -> list[str]:
    return tables.table_names(params, chosen(params))


def figure_names(params: Params) -> list[str]:
    return figures.figure_names(params, chosen(params))


def write_tables(params: Params, layout: Layout) -> list[Path]:
    tables.write_tables(params, layout, chosen(params), select(params, layout))
    numbers = [layout.metrics(*of) for of in tables.tabulated_models(params, chosen(params))]
    return [*(layout.table(name) for name in table_names(params)), *numbers]


def write_figures(params: Params, layout: Layout) -> list[Path]:
    figures.write_figures(params, layout, chosen(params), select(params, layout))
    return [layout.figure(name) for name in figure_names(params)]
