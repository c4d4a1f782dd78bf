"""Experiment C: fetching the archives of KTH, or the videos that stand in for them."""

from collections.abc import Sequence
from pathlib import Path

from fernn.data.digests import WrongFileError, verify
from fernn.data.download import show_progress
from fernn.data.kth.archives import RECORD
from fernn.data.kth.fetching import fetch_kth, parse_accept
from fernn.data.kth.release import OFFICIAL, Release, read_release
from fernn.data.kth.synthetic import serve
from fernn.errors import FernnError
from fernn.experiments.kth.experiment import EXPERIMENT
from fernn.layout import RELEASE, Layout
from fernn.params import Params


def fetch_videos(params: Params, layout: Layout, from_folder: Path | None, accept: Sequence[str]) -> Path:
    """Fetch the KTH archives; returns their record, which stands for a whole and checked set.

    At a scale with stand-ins the same code fetches these, from a server on this machine that runs for that long. Prints
    how many known originals were met.
    """
    source, folder = EXPERIMENT.section(params).source, layout.standins(EXPERIMENT.name)
    accepted = parse_accept([*(f"{file}={digest}" for file, digest in source.accept.items()), *accept])
    with show_progress() as progress:
        if source.stand_ins is None or from_folder is not None:
            record = fetch_kth(source.folder, source.bases, from_folder, accepted, OFFICIAL, progress)
        else:
            drawn = folder / RELEASE
            if not drawn.exists():
                raise FernnError(f"{drawn} is missing: `fernn standins --scale {params.scale}` draws the stand-ins.")
            release = read_release(drawn)
            if Path(source.folder).resolve().is_relative_to(layout.base.resolve()):
                _discard_others(Path(source.folder), release)
            with serve(folder) as base:
                record = fetch_kth(source.folder, [base], None, accepted, release, progress)
    if found := record.get("originals"):
        print(f"{found['met']} of the {found['known']} originals that we know are as they should be")
        for file in found["different"]:
            print(f"WARNING: {file} has other bytes than the original that we know")
    return Path(source.folder) / RECORD


def _discard_others(folder: Path, release: Release) -> None:
    """Remove the files of an earlier drawing: unlike originals, stand-ins may be drawn again under the same names."""
    for file, digests in release.digests.items():
        try:
            if (folder / file).exists():
                verify(folder / file, digests)
        except WrongFileError:
            (folder / file).unlink()
