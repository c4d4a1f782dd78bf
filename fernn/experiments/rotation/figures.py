"""Experiment B: the error over angular velocities that training did and did not have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fernn.evaluation import velocity_index
from fernn.experiments.digits.curves import trivial_curves
from fernn.experiments.digits.forecasts import read_trivial_errors
from fernn.experiments.rotation.params import RotationParams
from fernn.flows.names import reach as reach_of
from fernn.layout import Layout
from fernn.params import Params
from fernn.results.figures.style import WIDTH, line, new_figure, seeds_of, stamp
from fernn.results.selection import Selection
from fernn.results.text import math_name
from fernn.results.values import read_values

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def velocity_generalization(params: Params, layout: Layout, selections: list[Selection]) -> Figure:
    """Curves of the test error over degrees per frame, mean and each seed; that of training is shaded (Figure 4)."""
    section = params.section(selections[0].experiment)
    assert isinstance(section, RotationParams)
    data = section.data
    reach, trained = reach_of(data.velocity.flow), reach_of(selections[0].flow)
    degrees = [data.degrees * step for step in range(-reach, reach + 1)]
    values = read_values(layout, (run for of in selections for run in of.runs))
    figure = new_figure(figsize=(0.8 * WIDTH, 0.52 * WIDTH), layout="constrained")
    axes = figure.add_subplot(xlabel="Velocity (degrees per frame)", ylabel="Test MSE", yscale="log", xticks=degrees)
    edge = data.degrees * (min(trained, reach) + 0.5)
    axes.axvspan(-edge, edge, color="0.93", zorder=0)
    for selection in selections:
        seeds = values.by_index(selection.runs, "velocity", "mse", [velocity_index(each) for each in degrees])
        colour, style = line(params, selection)
        axes.fill_between(degrees, seeds.min(0), seeds.max(0), color=colour, alpha=0.15, linewidth=0)
        axes.plot(degrees, seeds.mean(0), "o", color=colour, linestyle=style, label=math_name(selection.model), ms=3)
    first = selections[0]
    trivial = read_trivial_errors(layout, first.experiment, "velocity", first.flow, data.predicted, len(degrees))
    exact = trivial_curves(axes, degrees, {name: errors.mean(1) for name, errors in trivial.items()})
    axes.legend()
    detail = f"shaded: velocities of training  ·  mean and range of seeds {seeds_of(selections)}"
    stamp(figure, params, selections, f"{detail}\n{exact}" if exact else detail)
    return figure
