"""The figures, drawn and written."""

from collections.abc import Sequence

import matplotlib

from fernn.layout import Layout
from fernn.params import Params
from fernn.results.figures.kinds import Drawn, panels
from fernn.results.figures.style import look, save
from fernn.results.reading.selection import Selection


def write_figures(
    params: Params, layout: Layout, experiments: Sequence[Drawn], selections: Sequence[Selection]
) -> None:
    """Draw the figures of experiments; the same inputs give the same bytes.

    Raises:
        FernnError: if a file of a run that params.yaml names, or of the videos, is missing or malformed; others are
            not read.
    """
    found = {(each.experiment, each.flow, each.model): each for each in selections}
    with matplotlib.rc_context():
        look()
        for panel in panels(params, experiments):
            shown = [found[panel.experiment, flow, model] for flow, model in panel.shown]
            figure = panel.kind.draw(params, layout, shown)
            for name in panel.names:
                save(figure, layout.figure(name))
