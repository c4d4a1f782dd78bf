"""Read and check the files of finished runs: measured values, metrics by epoch, samples for figures, records."""

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from fernn.errors import FernnError
from fernn.evaluation import COLUMNS
from fernn.layout import EVALUATION, METRICS, RECORD, SAMPLES, Layout
from fernn.provenance.records import Record, read_record
from fernn.runs import Run


@dataclass(frozen=True)
class ResultFile:
    """A file that a command of `fernn` makes, whose errors name that command."""

    path: Path
    command: str

    def missing(self) -> FernnError:
        """The error if the file is missing."""
        return FernnError(f"{self.path} is missing. `fernn {self.command}` makes it.")

    def broken(self, found: str) -> FernnError:
        """The error if the file cannot be used."""
        return FernnError(f"{self.path} is of no use: {found}. `fernn {self.command}` rebuilds it.")

    def read(self) -> bytes:
        """Its content. FernnError if it is missing."""
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            raise self.missing() from None

    def rows(self) -> tuple[list[str], list[list[str]]]:
        """The header and the rows of a CSV. FernnError if it is malformed."""
        try:
            text = self.read().decode()
            header, *rows = csv.reader(text.splitlines(), strict=True)
            if not text.endswith("\n") or any(len(row) != len(header) for row in rows):
                raise ValueError("a row is cut off")
        except (UnicodeDecodeError, csv.Error, ValueError) as error:
            raise self.broken(f"not a table of numbers ({error})") from None
        return header, rows


def evaluated(layout: Layout, run: Run, file: str = EVALUATION) -> ResultFile:
    """A file of a run's evaluation."""
    return ResultFile(layout.evaluation(run.id, file), f"evaluate {run.id} --scale {layout.scale}")


@dataclass(frozen=True)
class Values:
    """All measured values of some runs, as one long table that tables, figures and claims query.

    Its keys are the run, the test, the measure and the index; see `measure_prediction` and `measure_recognition` for
    the measures.
    """

    layout: Layout
    table: dict[tuple[Run, str, str], dict[str, float]] = field(default_factory=dict)  # the last key: index

    def whole(self, runs: Iterable[Run], test: str, measure: str) -> list[float]:
        """A measure of a whole test, or of the model (test ""), one for each run. FernnError if it was not measured."""
        return [self._of(run, test, measure, [""])[""] for run in runs]

    def parameters(self, run: Run) -> int:
        """The number of parameters of its model. FernnError if it was not measured."""
        return int(self._of(run, "", "parameters", [""])[""])

    def by_index(self, runs: Iterable[Run], test: str, measure: str, indexes: Sequence[str]) -> NDArray[np.float64]:
        """A measure at each of these indexes, such as predicted steps: (runs, indexes).

        Raises:
            FernnError: if it was not measured, or at other indexes.
        """
        found = []
        for run in runs:
            own = self._of(run, test, measure, indexes)
            if len(own.keys() - {""}) != len(indexes):
                count = len(own.keys() - {""})
                raise evaluated(self.layout, run).broken(
                    f"{measure} of test {test!r} is at {count} places, where params.yaml asks for {len(indexes)}"
                )
            found.append([own[index] for index in indexes])
        return np.array(found)

    def has(self, run: Run, test: str, measure: str) -> bool:
        """Whether a measure of a whole test was measured."""
        return "" in self.table.get((run, test, measure), {})

    def _of(self, run: Run, test: str, measure: str, indexes: Sequence[str]) -> dict[str, float]:
        own = self.table.get((run, test, measure), {})
        if missing := [index for index in indexes if index not in own]:
            at = f" at {missing[0]!r}" if missing[0] else ""
            raise evaluated(self.layout, run).broken(f"no {measure} of test {test!r}{at}")
        return own


def read_values(layout: Layout, runs: Iterable[Run]) -> Values:
    """The measured values of runs. FernnError if a results.csv is missing or malformed."""
    values = Values(layout)
    for run in runs:
        file = evaluated(layout, run)
        header, rows = file.rows()
        if tuple(header) != COLUMNS:
            raise file.broken(f"its columns are {','.join(header)}, not {','.join(COLUMNS)}")
        for *key, text in rows:
            try:
                value = float(text)
            except ValueError:
                value = math.nan
            if not math.isfinite(value):
                raise file.broken(f"the value of {','.join(key)} is {text!r}, no finite number")
            test, measure, index = key
            values.table.setdefault((run, test, measure), {})[index] = value
    return values


def steps(count: int) -> list[str]:
    """The indexes of predicted steps, or of draws."""
    return [str(step) for step in range(1, count + 1)]


def read_samples(layout: Layout, run: Run, *names: str) -> list[NDArray]:
    """Arrays by name from a run's samples.safetensors. FernnError if it is missing or has not these arrays."""
    file = evaluated(layout, run, SAMPLES)
    try:
        arrays = load(file.read())
        return [arrays[name] for name in names]
    except (SafetensorError, KeyError) as error:
        raise file.broken(f"not the samples of such a run ({error})") from None


def read_metrics(layout: Layout, run: Run, epochs: int, needed: str) -> dict[str, list[float]]:
    """The metrics of a run's training by name, one value for each validation.

    A training that diverged may end early; the values of its last epoch are not all finite (`diverged`).

    Args:
        layout: of the scale.
        run: of which the metrics are.
        epochs: that the file must have; only the first ones if the training diverged.
        needed: a metric that the file must have, such as "validation_loss".

    Raises:
        FernnError: if metrics.csv is missing, malformed or of other epochs.
    """
    file = ResultFile(layout.run(run.id, METRICS), f"train {run.id} --scale {layout.scale}")
    header, rows = file.rows()
    try:
        columns = {name: [float(row[place]) for row in rows] for place, name in enumerate(header)}
    except ValueError as error:
        raise file.broken(f"not a table of numbers ({error})") from None
    if not rows:
        raise file.broken("not a table of numbers (no row)")
    for name in ("epoch", "step", needed):
        if name not in columns:
            raise file.broken(f"no column {name!r}")
    last = int(columns["epoch"][-1]) if diverged(columns) else epochs
    if list(dict.fromkeys(columns["epoch"])) != list(range(1, min(last, epochs) + 1)):
        raise file.broken(f"{len(rows)} rows, where params.yaml asks for the epochs 1 to {epochs}")
    if any(later <= step for step, later in pairwise(columns["step"])):
        raise file.broken("its steps do not grow")
    before = columns["epoch"].index(last)  # a training may have diverged in the middle of its last epoch
    earlier = [value for values in columns.values() for value in (values[:before] if diverged(columns) else values)]
    if not all(map(math.isfinite, earlier)):
        raise file.broken("a value in it is not finite")
    return columns


def epoch_ends(metrics: dict[str, list[float]]) -> dict[str, list[float]]:
    """The metrics at the ends of epochs, without those of validations inside epochs."""
    ends = [number for number, epoch in enumerate(metrics["epoch"]) if metrics["epoch"][number + 1 :][:1] != [epoch]]
    return {name: [values[number] for number in ends] for name, values in metrics.items()}


def diverged(metrics: dict[str, list[float]]) -> bool:
    """Whether a training ended because its loss was not finite."""
    return not all(math.isfinite(values[-1]) for values in metrics.values())


def read_training(layout: Layout, run: Run) -> Record:
    """The record of a training. FernnError if it is missing or corrupt."""
    file = ResultFile(layout.run(run.id, RECORD), f"train {run.id} --scale {layout.scale}")
    record = read_record(file.path)
    if record is None:
        raise file.missing()
    return record


def seconds_per_step(record: Record) -> float | None:
    """Seconds per optimizer step, with its share of the validations; None if the record has no times."""
    count, seconds = record.details.get("steps"), record.details.get("seconds")
    return float(seconds / count) if count and seconds else None


def machine(record: Record) -> str:
    """The GPU, or the processor and its number of threads; and the world size, if it is not 1."""
    threads = record.environment["determinism"]["threads"]
    device = str(record.environment["device"])
    one = device if "cuda" in record.environment else f"{device}, {threads} thread{'s' * (threads != 1)}"
    return one if record.workers == 1 else f"{one}, {record.workers} ranks"
