"""`fernn compare`: results of a scale against those that were made of the same params elsewhere.

On the same kind of machine, with the same versions, they have the same bytes. Elsewhere sums are rounded otherwise, and
after thousands of steps of training that is another network, as another seed would be: then the cells of the tables are
held against each other, with the spread of their seeds.
"""

import csv
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fernn.audit import differences
from fernn.errors import FernnError
from fernn.layout import RECORD, SUPERSEDED, Layout
from fernn.provenance.records import DamagedRecordError, Record, read_record
from fernn.results.claims.statistics import positive, stated

# their results follow from the params alone; what tables and figures tell of times, and of machines, does not
STAGES = ("standins", "dataset", "train", "evaluate")
MACHINE = ("python", "device", "cuda", "determinism", "packages")  # of a record's environment: what rounding depends on
LEVEL = 0.01  # of the test that tells two cells apart
EXACT = 1e-6  # the relative difference of figures that no training stands behind
WORDS = {True: "agrees", False: "DIFFERS", None: "one seed"}

Key = tuple[str, ...]


@dataclass(frozen=True)
class Cell:
    """A cell of a table: mean and deviation over n runs; 0 runs for a forecast that needs no training."""

    mean: float
    std: float | None
    n: int

    def agrees(self, other: "Cell") -> bool | None:
        """Whether Welch's two-sided t test, of level `LEVEL`, does not tell them apart; None: there is one seed."""
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


def compare(here: Layout, folder: Path, say: Callable[[str], None]) -> bool:
    """Hold the results of a scale against those in another folder; print what came of it; returns whether they agree.

    Args:
        here: where the results of the scale lie.
        folder: that of another project, or of an unpacked archive: results/<scale> is in it.
        say: prints a line.

    Raises:
        FernnError: if there is nothing to compare, or a table cannot be read.
    """
    there = Layout(here.scale, folder / here.root)
    mine, theirs = _records(here), _records(there)
    if not (both := sorted(mine.keys() & theirs.keys())):
        raise FernnError(
            f"{here.base} and {there.base} have no result in common: {len(mine)} records here, {len(theirs)} there. "
            f"Make them: snakemake --cores all --config scale={here.scale}; name the folder that holds {here.base}."
        )
    params = [key for key in both if mine[key].lineage != theirs[key].lineage]
    if params:
        say(f"{len(params)} of {len(both)} results are of other params or code, such as {' '.join(params[0])}.")
    other = [key for key in both if mine[key].outputs != theirs[key].outputs]
    say(f"{len(both)} results are here and there: {len(both) - len(other)} have the same bytes, {len(other)} others.")
    machines = Counter(line for key in other for line in _machine(theirs[key], mine[key]))
    for line, count in machines.items():
        say(f"  made otherwise ({count} of {len(other)}; there, then here): {line}")
    if other and not machines and not params:
        say(f"Made by the same versions on the same kind of machine, they should be the same: {' '.join(other[0])}.")
    agree = [*_cells(here, there, say)]
    return not other or (bool(machines or params) and bool(agree) and all(agree))


def _records(layout: Layout) -> dict[Key, Record]:
    """By stage and name."""
    found: dict[Key, Record] = {}
    for path in sorted(layout.base.rglob(f"*{RECORD}")):
        if SUPERSEDED in path.parts:  # what was moved out of the way is no result of today
            continue
        try:
            record = read_record(path)
        except DamagedRecordError as error:
            raise FernnError(str(error)) from None
        if record and record.stage in STAGES:
            found[record.stage, record.name] = record
    return found


def _machine(then: Record, now: Record) -> list[str]:
    kinds = ({name: each.environment.get(name) for name in MACHINE} | {"workers": each.workers} for each in (then, now))
    return differences(*kinds)


def _cells(here: Layout, there: Layout, say: Callable[[str], None]) -> Iterator[bool]:
    """Whether each cell that stands in the tables here and there agrees."""
    for name in ("table1.csv", "table2.csv"):
        mine, theirs = _table(here.table(name)), _table(there.table(name))
        for key in (key for key in mine if key in theirs):
            agrees = mine[key].agrees(theirs[key])
            say(f"{WORDS[agrees]}: {' '.join(key)}: {mine[key]} here, {theirs[key]} there")
            if agrees is not None:
                yield agrees


def _table(path: Path) -> dict[Key, Cell]:
    """Its cells by experiment, flow, model and metric; none if it is not here.

    Raises:
        FernnError: if it is no table of ours.
    """
    if not path.exists():
        return {}
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return {
                (row["experiment"], row["flow"], row["model"], row["metric"]): Cell(
                    float(row["mean"]),
                    float(row["std"]) if row["std"] else None,
                    int(row["n"]),
                )
                for row in csv.DictReader(file)
            }
    except (KeyError, ValueError) as error:
        raise FernnError(f"{path}: not a table of `fernn tables` ({error!r}). Make it again.") from None
