"""What the evaluation of a predictor left behind: its errors, and sequences that it predicted."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, FiniteFloat, PositiveInt
from safetensors import SafetensorError
from safetensors.numpy import load

from fernn.results.reading import broken, evaluation_file, read_bytes, read_measure
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


class TurnError(BaseModel):
    """Mean squared error where all digits turn by so many degrees per frame."""

    degrees: FiniteFloat
    mse: FiniteFloat


class TurnErrors(BaseModel):
    """Errors over a grid of angular velocities."""

    grid: list[TurnError] = Field(min_length=1)
    sequences: PositiveInt


@dataclass(frozen=True)
class Samples:
    """Test sequences and what a model made of them, each (S, T, 1, H, W) float32 with values in [0, 1] or near."""

    seen: NDArray[np.float32]
    truth: NDArray[np.float32]
    prediction: NDArray[np.float32]


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
    errors = read_measure(layout, run, measure, StepErrors)
    if not len(errors.mean) == len(errors.std) == steps:
        found = f"{len(errors.mean)} steps in {measure!r}, where params.yaml asks for {steps}"
        raise broken(evaluation_file(layout, run), found, layout, run, "evaluate")
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
    measure = read_measure(layout, run, "velocity", VelocityErrors)
    cells = {(cell.vy, cell.vx): cell.mse for cell in measure.grid}
    span = range(-reach, reach + 1)
    if cells.keys() != {(vy, vx) for vy in span for vx in span}:
        found = f"{len(cells)} velocities, where params.yaml asks for all up to {reach} pixels per frame"
        raise broken(evaluation_file(layout, run), found, layout, run, "evaluate")
    return np.array([[cells[vy, vx] for vx in span] for vy in span])


def read_turn_errors(layout: Layout, run: Run, degrees: list[float]) -> NDArray[np.float64]:
    """A run's errors over a grid of angular velocities, in the order of `degrees` (per frame).

    Raises:
        FernnError: if evaluation.json is missing or malformed, or has not this measure at just these velocities.
    """
    measure = read_measure(layout, run, "velocity", TurnErrors)
    cells = {cell.degrees: cell.mse for cell in measure.grid}
    if cells.keys() != set(degrees):
        found = f"{len(cells)} velocities, where params.yaml asks for {len(degrees)} up to {max(degrees):g} degrees"
        raise broken(evaluation_file(layout, run), found, layout, run, "evaluate")
    return np.array([cells[each] for each in degrees])


def read_samples(layout: Layout, run: Run) -> Samples:
    """The test sequences that a run's evaluation kept for figures.

    Raises:
        FernnError: if samples.safetensors is missing or has other contents than `Samples`.
    """
    path = layout.evaluation(run.id, "samples.safetensors")
    try:
        arrays = load(read_bytes(path, layout, run, "evaluate"))
        samples = Samples(arrays["seen"], arrays["truth"], arrays["prediction"])
    except (SafetensorError, KeyError) as error:
        raise broken(path, f"not the samples of a run ({error})", layout, run, "evaluate") from None
    seen, truth = samples.seen.shape, samples.truth.shape
    fitting = samples.prediction.shape == truth and (*seen[:1], *seen[2:]) == (*truth[:1], *truth[2:])
    if len(truth) != 5 or not fitting or 0 in (*seen, *truth):
        found = f"shapes seen {seen}, truth {truth}, prediction {samples.prediction.shape} do not fit"
        raise broken(path, found, layout, run, "evaluate")
    return samples
