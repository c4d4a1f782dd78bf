"""What finished runs left behind, read and checked."""

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, FiniteFloat, PositiveInt, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load

from fernn.errors import FernnError
from fernn.runs import Layout, Run


class StepErrors(BaseModel):
    """Mean squared error at each predicted step over the test sequences, and over all steps (`mse`)."""

    mse: FiniteFloat
    mean: list[FiniteFloat] = Field(min_length=1)
    std: list[FiniteFloat]
    sequences: PositiveInt


class VelocityError(BaseModel):
    """Mean squared error where all digits move by (vx, vy) pixels per frame, x to the right, y downwards."""

    vx: int
    vy: int
    mse: FiniteFloat


class VelocityErrors(BaseModel):
    """Errors over a grid of velocities."""

    grid: list[VelocityError] = Field(min_length=1)
    sequences: PositiveInt


class _Measures(BaseModel):
    test: StepErrors | None = None
    length: StepErrors | None = None
    velocity: VelocityErrors | None = None


class _Evaluation(BaseModel):
    run: str
    measures: _Measures


@dataclass(frozen=True)
class Samples:
    """Test sequences and what a model made of them, each (S, T, 1, H, W) float32 with values in [0, 1] or near."""

    seen: NDArray[np.float32]
    truth: NDArray[np.float32]
    prediction: NDArray[np.float32]


def read_metrics(layout: Layout, run: Run, epochs: int) -> dict[str, list[float]]:
    """The measures of a run's training, by name, each with one value for each epoch.

    Args:
        layout: where files lie.
        run: which one.
        epochs: how many the file must have.

    Raises:
        FernnError: if metrics.csv is missing, is no such table, or has other epochs than 1 ... `epochs`.
    """
    path = layout.run(run.id, "metrics.csv")
    try:
        header, *rows = csv.reader(_bytes(path, layout, run, "train").decode().splitlines(), strict=True)
        cells = zip(header, zip(*rows, strict=True), strict=True)
        columns = {name: [float(value) for value in values] for name, values in cells}
    except (UnicodeDecodeError, csv.Error, ValueError) as error:
        raise _broken(path, f"not a table of numbers ({error})", layout, run, "train") from None
    for name in ("epoch", "validation_loss"):
        if name not in columns:
            raise _broken(path, f"no column {name!r}", layout, run, "train")
    if columns["epoch"] != list(range(1, epochs + 1)):
        found = f"{len(rows)} rows, where params.yaml asks for the epochs 1 to {epochs}"
        raise _broken(path, found, layout, run, "train")
    if not all(math.isfinite(value) for values in columns.values() for value in values):
        raise _broken(path, "a value in it is not finite", layout, run, "train")
    return columns


def read_step_errors(layout: Layout, run: Run, measure: str, steps: int) -> StepErrors:
    """A run's errors by predicted step.

    Args:
        layout: where files lie.
        run: which one.
        measure: "test" or "length".
        steps: how many there must be.

    Raises:
        FernnError: if evaluation.json is missing or malformed, or has not this measure over so many steps.
    """
    path, measures = _evaluation(layout, run)
    errors: StepErrors | None = getattr(measures, measure)
    if errors is None:
        raise _broken(path, f"no measure {measure!r}", layout, run, "evaluate")
    if not len(errors.mean) == len(errors.std) == steps:
        found = f"{len(errors.mean)} steps in {measure!r}, where params.yaml asks for {steps}"
        raise _broken(path, found, layout, run, "evaluate")
    return errors


def read_velocity_errors(layout: Layout, run: Run, reach: int) -> NDArray[np.float64]:
    """A run's errors over the grid of velocities.

    Args:
        layout: where files lie.
        run: which one.
        reach: largest speed along each axis, in pixels per frame.

    Returns:
        (2 * reach + 1, 2 * reach + 1), rows by vy and columns by vx, both from -reach to reach.

    Raises:
        FernnError: if evaluation.json is missing or malformed, or has not this measure at just these velocities.
    """
    path, measures = _evaluation(layout, run)
    if measures.velocity is None:
        raise _broken(path, "no measure 'velocity'", layout, run, "evaluate")
    cells = {(cell.vy, cell.vx): cell.mse for cell in measures.velocity.grid}
    span = range(-reach, reach + 1)
    if cells.keys() != {(vy, vx) for vy in span for vx in span}:
        found = f"{len(cells)} velocities, where params.yaml asks for all up to {reach} pixels per frame"
        raise _broken(path, found, layout, run, "evaluate")
    return np.array([[cells[vy, vx] for vx in span] for vy in span])


def read_samples(layout: Layout, run: Run) -> Samples:
    """The test sequences that a run's evaluation kept for figures.

    Raises:
        FernnError: if samples.safetensors is missing or has other contents than `Samples`.
    """
    path = layout.evaluation(run.id, "samples.safetensors")
    try:
        arrays = load(_bytes(path, layout, run, "evaluate"))
        samples = Samples(arrays["seen"], arrays["truth"], arrays["prediction"])
    except (SafetensorError, KeyError) as error:
        raise _broken(path, f"not the samples of a run ({error})", layout, run, "evaluate") from None
    seen, truth = samples.seen.shape, samples.truth.shape
    fitting = samples.prediction.shape == truth and (*seen[:1], *seen[2:]) == (*truth[:1], *truth[2:])
    if len(truth) != 5 or not fitting or 0 in (*seen, *truth):
        found = f"shapes seen {seen}, truth {truth}, prediction {samples.prediction.shape} do not fit"
        raise _broken(path, found, layout, run, "evaluate")
    return samples


def _evaluation(layout: Layout, run: Run) -> tuple[Path, _Measures]:
    path = layout.evaluation(run.id, "evaluation.json")
    try:
        evaluation = _Evaluation.model_validate_json(_bytes(path, layout, run, "evaluate"))
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"]) or "the file"
        raise _broken(path, f"{place}: {problem['msg']}", layout, run, "evaluate") from None
    if evaluation.run != run.id:
        raise _broken(path, f"it is of the run {evaluation.run}", layout, run, "evaluate")
    return path, evaluation.measures


def _bytes(path: Path, layout: Layout, run: Run, stage: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise FernnError(f"{path} is missing. {_remedy(layout, run, stage)} makes it.") from None


def _broken(path: Path, found: str, layout: Layout, run: Run, stage: str) -> FernnError:
    return FernnError(f"{path} is of no use: {found}. {_remedy(layout, run, stage)} makes it again.")


def _remedy(layout: Layout, run: Run, stage: str) -> str:
    return f"`fernn {stage} {run.id} --scale {layout.scale}`"
