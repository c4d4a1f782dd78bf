"""`fernn compare`: compare the results of a scale with those made from the same params elsewhere.

Files are compared by sha256; a file that is not in the folder, such as a data set, by the sha256 in its record, and the
output says so. The same kind of machine with the same versions makes equal files. On others sums round differently, and
training amplifies that as another seed would: then the cells of the tables are compared, with their spread over seeds.
"""

import csv
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fernn.errors import FernnError, listed
from fernn.files import sha256
from fernn.layout import RECORD, SUPERSEDED, Layout
from fernn.pipeline.archive import files_of
from fernn.pipeline.audit import differences
from fernn.provenance.records import Record, read_record
from fernn.results.claims.statistics import positive, stated

# the stages whose results follow from the params alone; tables and figures also show times and machines
STAGES = ("standins", "dataset", "train", "evaluate")
RUNS = ("train", "evaluate")  # both sides must have their results; data sets can be rebuilt from their sources
TABLES = ("table1.csv", "table2.csv")
MACHINE = ("python", "device", "cuda", "determinism", "packages")  # of a record's environment: what rounding depends on
LEVEL = 0.01  # of the test that two cells differ
EXACT = 1e-6  # relative difference of values that need no training
WORDS = {True: "agrees", False: "DIFFERS", None: "one seed"}

Key = tuple[str, ...]


@dataclass(frozen=True)
class MeanOverRuns:
    """A cell of a table: mean and standard deviation over n runs; n is 0 for a baseline that needs no training."""

    mean: float
    std: float | None
    n: int

    def agrees(self, other: "MeanOverRuns") -> bool | None:
        """Whether Welch's two-sided t test at `LEVEL` finds no difference; None if there is one seed.

        A mean or deviation that is not finite never agrees.
        """
        if not all(math.isfinite(value or 0) for value in (self.mean, self.std, other.mean, other.std)):
            return False
        if math.isclose(self.mean, other.mean, rel_tol=EXACT):
            return True
        if self.std is None or other.std is None:
            return None if self.n and other.n else False
        if self.std == other.std == 0:
            return False
        difference = stated(self.mean, self.std, self.n) - stated(other.mean, other.std, other.n)
        return not positive(difference).finds(LEVEL / 2)

    def __str__(self) -> str:
        return f"{self.mean:.3g}" + (f" ± {self.std:.2g} ({self.n})" if self.std else "")


class _Side:
    """The results of a scale in one folder, by stage and name."""

    def __init__(self, layout: Layout, folder: Path) -> None:
        found, packed = _records(layout), files_of(folder)
        self.records = {key: record for key, record in found.items() if key[0] in STAGES}
        self.digests: dict[Key, dict[str, str]] = {}  # sha256; of a file that is not here, the one in its record
        self.corrupt: dict[Key, list[str]] = {}  # a line about each file that differs from its record
        self.missing: list[str] = []  # files of runs that are not here
        self.left_out: list[str] = []  # other files that are not here: data sets, and what an archive was made without
        for key, record in found.items():
            here = {name: sha256(folder / name) for name in record.outputs if (folder / name).is_file()}
            self.digests[key] = record.outputs | here
            if wrong := [
                f"{name}: sha256 {digest[:12]}..., its record states {record.outputs[name][:12]}..."
                for name, digest in here.items()
                if digest != record.outputs[name]
            ]:
                self.corrupt[key] = wrong
            if key in self.records:
                for name in record.outputs.keys() - here.keys():
                    needed = key[0] in RUNS and (packed is None or name in packed)
                    (self.missing if needed else self.left_out).append(name)


def compare(here: Layout, folder: Path, say: Callable[[str], None]) -> bool:
    """Compare the results of a scale with those in the folder of another project or unpacked archive; print findings.

    Returns whether both sides have the same runs, no file is corrupt, and bytes or cells agree. FernnError if there is
    nothing to compare, or a record or table cannot be read.
    """
    there = Layout(here.scale, folder / here.root)
    mine, theirs = _Side(here, Path()), _Side(there, folder)
    if not (both := sorted(mine.records.keys() & theirs.records.keys())):
        raise FernnError(
            f"{here.base} and {there.base} have no result in common: {len(mine.records)} records here, "
            f"{len(theirs.records)} there. Make them: snakemake --cores all --config scale={here.scale}; or name the "
            f"folder that holds {here.base}."
        )
    complete = [_report_gaps(mine, theirs, "here", say), _report_gaps(theirs, mine, "there", say)]
    params = [key for key in both if mine.records[key].lineage != theirs.records[key].lineage]
    if params:
        say(f"{len(params)} of {len(both)} results are of other params or code, such as {' '.join(params[0])}.")
    corrupt = mine.corrupt.keys() | theirs.corrupt.keys()
    sound = [key for key in both if key not in corrupt]
    other = [key for key in sound if mine.digests[key] != theirs.digests[key]]
    broken = f", {count} are corrupt" if (count := len(both) - len(sound)) else ""
    same = len(sound) - len(other)
    say(f"{len(both)} results are here and there: {same} have the same bytes, {len(other)} others{broken}.")
    machines = Counter(
        line for key in other for line in differences(*(_machine(side.records[key]) for side in (theirs, mine)))
    )
    for line, count in machines.items():
        say(f"  made differently ({count} of {len(other)}; there, then here): {line}")
    if other and not machines and not params:
        say(f"Made by the same versions on the same kind of machine, they should be the same: {' '.join(other[0])}.")
    agree = [*_cells(here, there, bool(other), say)]
    return all(complete) and all(agree) and (not other or (bool(machines or params) and bool(agree)))


def _report_gaps(side: _Side, other: _Side, where: str, say: Callable[[str], None]) -> bool:
    """Print which results of a side are corrupt, incomplete or only there; return whether all runs can be compared."""
    for key, lines in side.corrupt.items():
        say(f"error: {' '.join(key).rstrip()} is corrupt {where}; rebuild or copy it:{listed(lines)}")
    lone = sorted(side.records.keys() - other.records.keys())
    runs = any(stage in RUNS for stage, _ in lone)
    if lone:
        say(f"{'error: ' * runs}{len(lone)} results are only {where}:{listed([' '.join(key) for key in lone])}")
    if side.missing:
        files = listed(sorted(side.missing))
        say(f"error: {len(side.missing)} files of runs are missing {where}; rebuild or copy them:{files}")
    if left_out := sorted(side.left_out):
        say(f"{len(left_out)} files are not {where}, such as {left_out[0]}: compared by the sha256 in their records.")
    return not (side.corrupt or side.missing or runs)


def _records(layout: Layout) -> dict[Key, Record]:
    # those set aside are of other params or code
    paths = (path for path in sorted(layout.base.rglob(f"*{RECORD}")) if SUPERSEDED not in path.parts)
    records = (record for path in paths if (record := read_record(path)))
    return {(record.stage, record.name): record for record in records if record.stage in (*STAGES, "tables")}


def _machine(record: Record) -> dict[str, object]:
    return {name: record.environment.get(name) for name in MACHINE} | {"workers": record.workers}


def _cells(here: Layout, there: Layout, needed: bool, say: Callable[[str], None]) -> Iterator[bool]:
    """Whether each cell of the tables agrees; a cell of one side does not.

    A table that one side lacks counts only if it is `needed`: if some results have other bytes.
    """
    for name in TABLES:
        mine, theirs = _table(here.table(name)), _table(there.table(name))
        counts = needed or (here.table(name).exists() and there.table(name).exists())
        for key in (key for key in mine if key in theirs):
            agrees = mine[key].agrees(theirs[key])
            say(f"{WORDS[agrees]}: {' '.join(key)}: {mine[key]} here, {theirs[key]} there")
            if agrees is not None:
                yield agrees
        for cells, others, where in ((mine, theirs, "here"), (theirs, mine, "there")):
            if lone := [" ".join(key) for key in cells if key not in others]:
                say(f"{len(lone)} cells of {name} are only {where}:{listed(lone)}")
                if counts:
                    yield False


def _table(path: Path) -> dict[Key, MeanOverRuns]:
    """Cells by experiment, flow, model and metric; none if the file is not here."""
    if not path.exists():
        return {}
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return {
                (row["experiment"], row["flow"], row["model"], row["metric"]): MeanOverRuns(
                    float(row["mean"]), float(row["std"]) if row["std"] else None, int(row["n"])
                )
                for row in csv.DictReader(file)
            }
    except (KeyError, ValueError) as error:
        raise FernnError(f"{path}: not a table of `fernn tables` ({error!r}). Rebuild it.") from None
