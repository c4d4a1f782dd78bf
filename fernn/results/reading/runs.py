"""What every finished run left behind, read and checked: its metrics by epoch, and its measures."""

import csv
import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray
from pydantic import BaseModel, PositiveInt, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load

from fernn.errors import FernnError
from fernn.evaluation.outcome import COLUMNS
from fernn.layout import EVALUATION, METRICS, SAMPLES, Layout
from fernn.runs import Run


@dataclass(frozen=True)
class ResultFile:
    """A file that a command of `fernn` makes: what is wrong with it, and how it is made, in one error."""

    path: Path
    command: str

    def missing(self) -> FernnError:
        """The error of a file that is not there."""
        return FernnError(f"{self.path} is missing. `fernn {self.command}` makes it.")

    def broken(self, found: str) -> FernnError:
        """The error of a file that cannot be used."""
        return FernnError(f"{self.path} is of no use: {found}. `fernn {self.command}` makes it again.")

    def read(self) -> bytes:
        """Its content. FernnError if it is not there."""
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            raise self.missing() from None


def evaluated(layout: Layout, run: Run, file: str = EVALUATION) -> ResultFile:
    """A file of a run's evaluation."""
    return ResultFile(layout.evaluation(run.id, file), f"evaluate {run.id} --scale {layout.scale}")


class _Evaluation(BaseModel):
    parameters: PositiveInt
    measures: dict[str, Any]


Measure = TypeVar("Measure", bound=BaseModel)


def read_metrics(layout: Layout, run: Run, epochs: int, needed: str) -> dict[str, list[float]]:
    """The measures of a run's training, by name, each with a value for each validation; `epoch_ends` thins them.

    The last epoch of a training that diverged may come early; its values are not all finite (`diverged`).

    Args:
        layout: where files lie.
        run: which one.
        epochs: how many the file must have.
        needed: a measure that it must have, such as "validation_loss".

    Raises:
        FernnError: if metrics.csv is missing, is no such table, or has other epochs than 1 ... `epochs`, or, of a
            training that diverged, than the first of them.
    """
    file = ResultFile(layout.run(run.id, METRICS), f"train {run.id} --scale {layout.scale}")
    try:
        header, *rows = csv.reader(file.read().decode().splitlines(), strict=True)
        cells = zip(header, zip(*rows, strict=True), strict=True)
        columns = {name: [float(value) for value in values] for name, values in cells}
    except (UnicodeDecodeError, csv.Error, ValueError) as error:
        raise file.broken(f"not a table of numbers ({error})") from None
    for name in ("epoch", "step", needed):
        if name not in columns:
            raise file.broken(f"no column {name!r}")
    last = int(columns["epoch"][-1]) if diverged(columns) else epochs
    if list(dict.fromkeys(columns["epoch"])) != list(range(1, min(last, epochs) + 1)):
        found = f"{len(rows)} rows, where params.yaml asks for the epochs 1 to {epochs}"
        raise file.broken(found)
    if any(later <= step for step, later in pairwise(columns["step"])):
        raise file.broken("its steps do not grow")
    before = columns["epoch"].index(last)  # the last epoch of a training that diverged may have been lost in its middle
    earlier = [value for values in columns.values() for value in (values[:before] if diverged(columns) else values)]
    if not all(map(math.isfinite, earlier)):
        raise file.broken("a value in it is not finite")
    return columns


def epoch_ends(metrics: dict[str, list[float]]) -> dict[str, list[float]]:
    """The measures at the ends of epochs alone, without those of validations inside them."""
    ends = [number for number, epoch in enumerate(metrics["epoch"]) if metrics["epoch"][number + 1 :][:1] != [epoch]]
    return {name: [values[number] for number in ends] for name, values in metrics.items()}


def diverged(metrics: dict[str, list[float]]) -> bool:
    """Whether a training ended since its loss was not finite."""
    return not all(math.isfinite(values[-1]) for values in metrics.values())


def read_measure(layout: Layout, run: Run, name: str, kind: type[Measure]) -> Measure:
    """A measure of a run's evaluation, by its name in params.yaml.

    Raises:
        FernnError: if results.csv is missing or malformed, or has no such measure of this kind.
    """
    evaluation = _read_evaluation(layout, run)
    if name not in evaluation.measures:
        raise evaluated(layout, run).broken(f"no measure {name!r}")
    try:
        return kind.model_validate(evaluation.measures[name])
    except ValidationError as error:
        raise evaluated(layout, run).broken(problem(error, "measures", name)) from None


def read_parameters(layout: Layout, run: Run) -> int:
    """How many parameters the model of an evaluated run has.

    Raises:
        FernnError: if results.csv is missing or malformed.
    """
    return _read_evaluation(layout, run).parameters


def read_samples(layout: Layout, run: Run, *names: str) -> tuple[list[NDArray], ResultFile]:
    """Arrays that a run's evaluation kept for figures, by their names, and the file that they are from.

    Raises:
        FernnError: if samples.safetensors is missing, or has not these arrays.
    """
    file = evaluated(layout, run, SAMPLES)
    try:
        arrays = load(file.read())
        return [arrays[name] for name in names], file
    except (SafetensorError, KeyError) as error:
        raise file.broken(f"not the samples of such a run ({error})") from None


def _read_evaluation(layout: Layout, run: Run) -> _Evaluation:
    file = evaluated(layout, run)
    try:
        header, *rows = csv.reader(file.read().decode().splitlines(), strict=True)
        if tuple(header) != COLUMNS:
            raise ValueError(f"its columns are {','.join(header)}, not {','.join(COLUMNS)}")
        parameters, by_test = 0, dict[str, dict[str, Any]]()
        for test, name, index, text in rows:
            value = float(text)
            if not test:
                parameters = int(value)
            else:
                by_test.setdefault(test, {}).setdefault(name, {})[index] = value
        return _Evaluation(parameters=parameters, measures={k: _nested(v) for k, v in by_test.items()})
    except ValidationError as error:
        raise file.broken(problem(error)) from None
    except (UnicodeDecodeError, csv.Error, ValueError, KeyError) as error:
        raise file.broken(f"not a table of measures ({error})") from None


def _nested(of: dict[str, dict[str, float]]) -> dict[str, Any]:
    """A test's measures as the readers of today take them."""
    if "confusion" in of:
        size = round(len(of["confusion"]) ** 0.5)
        counts = list(of["confusion"].values())
        draws = [value for index, value in of["accuracy"].items() if index]
        whole = {name: of[name][""] for name in ("accuracy", "loss", "clips")}
        return {**whole, "confusion": [counts[i * size :][:size] for i in range(size)], "draws": draws}
    whole = {name: of[name][""] for name in ("mse", "sequences")}
    if "mse_std" in of:
        steps = {name: [value for index, value in of[name].items() if index] for name in ("mse", "mse_std")}
        return {**whole, "mean": steps["mse"], "std": steps["mse_std"], "central": of.get("mse_central", {}).get("")}
    cells = []
    for index, value in of["mse"].items():
        if index:
            parts = [float(part) for part in index.split()]
            cells.append(
                {**dict(zip(("vx", "vy") if len(parts) > 1 else ("degrees",), parts, strict=True)), "mse": value}
            )
    return {**whole, "grid": cells}


def problem(error: ValidationError, *within: str) -> str:
    """The first thing that is wrong with a content, and where in it."""
    first = error.errors()[0]
    place = ".".join([*within, *map(str, first["loc"])])
    return f"{place or 'the file'}: {first['msg']}"
