"""`fernn export`: from the results of a scale to one archive."""

from collections.abc import Sequence
from pathlib import Path

from fernn.layout import Layout
from fernn.params import Params
from fernn.pipeline.export.archive import write_archive
from fernn.pipeline.export.contents import gather
from fernn.pipeline.export.crate import metadata
from fernn.pipeline.jobs import Jobs


def export(
    params: Params,
    layout: Layout,
    params_file: Path,
    to: Path | None = None,
    force: bool = False,
    without: Sequence[str] = (),
) -> Path:
    """Pack the results of a scale as a Workflow Run RO-Crate; returns the zip file.

    Args:
        params: of the scale.
        layout: where its results lie.
        params_file: what the params were read from.
        to: the zip file; results/fernn-<scale>.zip if not given.
        force: pack results that are not up to date as well, and say so in the archive.
        without: names of files to leave out; * stands for any part of a name.

    Raises:
        FernnError: if there are no results, or some are not up to date, and nothing forces it.
    """
    contents = gather(Jobs(params, layout), params_file, force, without)
    path = to or layout.root / f"fernn-{params.scale}.zip"
    write_archive(path, contents.members.values(), metadata(contents), contents.ended)
    return path
