"""What every finished run left behind, read and checked: its metrics by epoch, and its measures."""

import csv
import math
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, PositiveInt, ValidationError

from fernn.errors import FernnError
from fernn.layout import Layout
from fernn.runs import Run


class _Evaluation(BaseModel):
    run: str
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
    path = layout.run(run.id, "metrics.csv")
    try:
        header, *rows = csv.reader(read_bytes(path, layout, run, "train").decode().splitlines(), strict=True)
        cells = zip(header, zip(*rows, strict=True), strict=True)
        columns = {name: [float(value) for value in values] for name, values in cells}
    except (UnicodeDecodeError, csv.Error, ValueError) as error:
        raise broken(path, f"not a table of numbers ({error})", layout, run, "train") from None
    for name in ("epoch", "step", needed):
        if name not in columns:
            raise broken(path, f"no column {name!r}", layout, run, "train")
    last = int(columns["epoch"][-1]) if diverged(columns) else epochs
    if list(dict.fromkeys(columns["epoch"])) != list(range(1, min(last, epochs) + 1)):
        found = f"{len(rows)} rows, where params.yaml asks for the epochs 1 to {epochs}"
        raise broken(path, found, layout, run, "train")
    if any(later <= step for step, later in pairwise(columns["step"])):
        raise broken(path, "its steps do not grow", layout, run, "train")
    before = columns["epoch"].index(last)  # the last epoch of a training that diverged may have been lost in its middle
    earlier = [value for values in columns.values() for value in (values[:before] if diverged(columns) else values)]
    if not all(map(math.isfinite, earlier)):
        raise broken(path, "a value in it is not finite", layout, run, "train")
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
        FernnError: if evaluation.json is missing or malformed, or has no such measure of this kind.
    """
    path, evaluation = evaluation_file(layout, run), _read_evaluation(layout, run)
    if name not in evaluation.measures:
        raise broken(path, f"no measure {name!r}", layout, run, "evaluate")
    try:
        return kind.model_validate(evaluation.measures[name])
    except ValidationError as error:
        raise broken(path, problem(error, "measures", name), layout, run, "evaluate") from None


def read_parameters(layout: Layout, run: Run) -> int:
    """How many parameters the model of an evaluated run has.

    Raises:
        FernnError: if evaluation.json is missing or malformed.
    """
    return _read_evaluation(layout, run).parameters


def _read_evaluation(layout: Layout, run: Run) -> _Evaluation:
    path = evaluation_file(layout, run)
    content = read_bytes(path, layout, run, "evaluate")
    try:
        evaluation = _Evaluation.model_validate_json(content)
    except ValidationError as error:
        raise broken(path, problem(error), layout, run, "evaluate") from None
    if evaluation.run != run.id:
        raise broken(path, f"it is of the run {evaluation.run}", layout, run, "evaluate")
    return evaluation


def evaluation_file(layout: Layout, run: Run) -> Path:
    """Where a run's measures lie."""
    return layout.evaluation(run.id, "evaluation.json")


def read_bytes(path: Path, layout: Layout, run: Run, stage: str) -> bytes:
    """A file that a stage of a run makes. FernnError if it is not there."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise FernnError(f"{path} is missing. {_remedy(layout, run, stage)} makes it.") from None


def broken(path: Path, found: str, layout: Layout, run: Run, stage: str) -> FernnError:
    """The error of a file that a stage of a run made and that cannot be used."""
    return FernnError(f"{path} is of no use: {found}. {_remedy(layout, run, stage)} makes it again.")


def _remedy(layout: Layout, run: Run, stage: str) -> str:
    return f"`fernn {stage} {run.id} --scale {layout.scale}`"


def problem(error: ValidationError, *within: str) -> str:
    """The first thing that is wrong with a content, and where in it."""
    first = error.errors()[0]
    place = ".".join([*within, *map(str, first["loc"])])
    return f"{place or 'the file'}: {first['msg']}"
