"""Tables and figures as stages: files in, files out, a record beside them."""

from pathlib import Path

from fernn.params import Params
from fernn.provenance.records import NAME, Maker
from fernn.results.plan import files_read
from fernn.runs import Layout
from fernn.stages import results_inputs


def make_tables(params: Params, layout: Layout) -> list[Path]:
    """Write the tables and their record; returns the files. See `fernn.results.tables.write_tables`."""
    from fernn.results.tables import write_tables

    maker = _maker(params, layout, "tables")
    files = write_tables(params, layout)
    maker.done(layout.table(NAME), files)
    return [*files, layout.table(NAME)]


def make_figures(params: Params, layout: Layout) -> list[Path]:
    """Draw the figures and write their record; returns the files. See `fernn.results.figures.write_figures`."""
    from fernn.results.figures import write_figures

    maker = _maker(params, layout, "figures")
    files = write_figures(params, layout)
    maker.done(layout.figure(NAME), files)
    return [*files, layout.figure(NAME)]


def _maker(params: Params, layout: Layout, kind: str) -> Maker:
    # one that is missing is told of by whoever reads it, in better words
    there = [path for path in files_read(params, layout, kind) if path.exists()]
    return Maker(kind, "", params.scale, results_inputs(params, kind), there)
