"""What the evaluation of a predictor left behind: its errors, and sequences that it predicted."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, FiniteFloat, PositiveInt
from safetensors import SafetensorError
from safetensors.numpy import load

from fernn.layout import Layout
from fernn.results.reading.runs import broken, evaluation_file, read_bytes, read_measure
from fernn.runs import Run


class StepErrors(BaseModel):
    """Mean squared error at each predicted step over the test sequences, and over all steps (`mse`).

    `central`: over all steps and a digit's size in the middle of the frame, where frames are larger than digits.
    """

    mse: FiniteFloat
    mean: list[FiniteFloat] = Field(min_length=1)
    std: list[FiniteFloat]
    sequences: PositiveInt
    central: FiniteFloat | None = None


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
