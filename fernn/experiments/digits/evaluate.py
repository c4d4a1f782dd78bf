"""Flowing MNIST: what is measured of a trained predictor."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from fernn.arrays import read_arrays
from fernn.datasets.sequences import Recipes, RenderedSequences
from fernn.errors import say
from fernn.evaluation.outcome import Evaluation, Workplace, evaluate_to_files
from fernn.evaluation.prediction import LARGEST, StepErrors, held, step_errors
from fernn.datasets.sequences import Motion

SAMPLES = 2  # sequences whose predictions are kept for figures


@dataclass(frozen=True)
class EvaluateInputs(Evaluation):
    """What a run's evaluation depends on, besides its code and its files.

    Attributes:
        measures: which of "test", "length" and "velocity".
        motion: how digits move.
        frame: side of a frame in pixels.
        seen: frames shown.
        predicted: frames predicted, in "test" and "velocity".
        length: frames predicted, in "length".
        velocities: flow whose generators make the grid of "velocity".
    """

    measures: tuple[str, ...]
    motion: Motion
    frame: int
    seen: int
    predicted: int
    length: int
    velocities: str


def evaluate(inputs: EvaluateInputs, files: dict[str, Path], place: Workplace, outputs: tuple[Path, Path]) -> None:
    """Measure a trained predictor and write what came of it.

    A measure is the error by predicted step and over all steps, and where digits stay in the middle of larger frames
    that over the central square of a digit's size; "velocity" is the error at each velocity of the grid, where all
    digits move at it. Forecasts that grow beyond float32 are told of, and measured as `StepErrors` says.
    Samples are "seen", "truth" and "prediction", each (S, T, 1, H, W) float32, over as many steps as training has, of
    the first of the measures; where "length" is measured "length.seen" and so on, over all of its steps; and where
    "velocity" is, "velocity.seen" and so on, whose digits all move at the last velocity of the grid.

    Args:
        inputs: what it depends on.
        files: "model", "digits" and the sequences of each measure, by its name.
        place: where it is done.
        outputs: see `evaluate_to_files`.
    """
    evaluate_to_files(inputs, files["model"], partial(_measure, inputs, files, place), place, outputs)


def _measure(
    inputs: EvaluateInputs, files: dict[str, Path], place: Workplace, model: nn.Module
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    pool = read_arrays(files["digits"])[0]["test"].to(place.device)
    grid = inputs.motion.grid(inputs.velocities)
    digit = pool.shape[-1]  # a rim that is mostly black makes a mean look small
    central = digit if inputs.motion.centred and digit < inputs.frame else None

    def rendered(recipes: Recipes, predicted: int) -> Callable[[int, int], Tensor]:
        return RenderedSequences(inputs.motion.render, pool, inputs.seen + predicted, inputs.frame).of(recipes)

    def errors_of(recipes: Recipes, predicted: int) -> StepErrors:
        frames = rendered(recipes, predicted)
        errors = step_errors(model, frames, len(recipes), inputs.batch, inputs.seen, central)
        if errors.lost:
            say(
                f"{place.run}: from step {errors.lost} of {predicted} on forecasts grow beyond what float32 holds; "
                f"there an error counts as its largest, {LARGEST:.2g}"
            )
        return errors

    def samples_of(recipes: Recipes, predicted: int) -> dict[str, Tensor]:
        frames = rendered(recipes, predicted)(0, SAMPLES)
        seen, truth = frames[:, : inputs.seen], frames[:, inputs.seen :]
        return {"seen": seen, "truth": truth, "prediction": held(model(seen, predicted).float())}

    measures: dict[str, Any] = {}
    samples: dict[str, Tensor] = {}
    for name in inputs.measures:
        recipes = Recipes.read(files[name])
        if name == "velocity":
            cells = [
                {**label, "mse": errors_of(recipes.moving_at(velocity), inputs.predicted).mse}
                for velocity, label in grid
            ]
            mean = sum(cell["mse"] for cell in cells) / len(cells)
            measures[name] = {"mse": mean, "grid": cells, "sequences": len(recipes)}
            # the fastest one, as a rule one that the training did not have
            recipes = recipes.moving_at(grid[-1][0])
            samples |= {f"velocity.{kind}": frames for kind, frames in samples_of(recipes, inputs.predicted).items()}
        else:
            steps = inputs.length if name == "length" else inputs.predicted
            errors = errors_of(recipes, steps)
            measures[name] = {"mse": errors.mse, **asdict(errors)}
        if name == "length":
            samples |= {f"length.{kind}": frames for kind, frames in samples_of(recipes, steps).items()}
        if "seen" not in samples:
            samples |= samples_of(recipes, inputs.predicted)
    return measures, samples
