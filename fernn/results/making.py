"""Tables and figures as stages: files in, files out, a record beside them."""

from collections.abc import Callable
from pathlib import Path

from fernn.params import Params
from fernn.provenance.records import NAME, Maker, read_record
from fernn.results.plan import files_read
from fernn.runs import Layout
from fernn.stages import results_inputs


def make_tables(params: Params, layout: Layout) -> list[Path]:
    """Write the tables and their record; returns the files. See `fernn.results.tables.write_tables`."""
    from fernn.results.tables import write_tables

    return _make("tables", write_tables, params, layout, layout.table(NAME))


def make_figures(params: Params, layout: Layout) -> list[Path]:
    """Draw the figures and write their record; returns the files. See `fernn.results.figures.write_figures`."""
    from fernn.results.figures import write_figures

    return _make("figures", write_figures, params, layout, layout.figure(NAME))


def _make(
    kind: str, write: Callable[[Params, Layout], list[Path]], params: Params, layout: Layout, record: Path
) -> list[Path]:
    # one that is missing is told of by whoever reads it, in better words
    there = [path for path in files_read(params, layout, kind) if path.exists()]
    maker = Maker(record, kind, "", params.scale, results_inputs(params, kind), there)
    if maker.is_done():
        return [*map(Path, read_record(record).outputs), record]
    files = write(params, layout)
    maker.done(files)
    return [*files, record]
