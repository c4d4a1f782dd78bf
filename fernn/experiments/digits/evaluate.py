"""Flowing MNIST: what is measured of a trained predictor."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from fernn.arrays import read_arrays
from fernn.datasets.sequences import Motion, Recipes, RenderedSequences
from fernn.errors import say
from fernn.evaluation.outcome import Workplace, evaluate_to_files
from fernn.evaluation.prediction import LARGEST, StepErrors, held, step_errors
from fernn.models.storage import Model

if TYPE_CHECKING:
    from fernn.experiments.digits.params import DigitData, DigitTraining

SAMPLES = 2  # sequences whose predictions are kept for figures


def evaluate(
    files: dict[str, Path],
    place: Workplace,
    outputs: tuple[Path, Path],
    *,
    model: Model,
    motion: Motion,
    measures: list[str],
    data: "DigitData",
    length: int,
    velocities: str,
    training: "DigitTraining",
) -> None:
    """Measure a trained predictor and write what came of it.

    A measure is the error by predicted step and over all steps, and where digits stay in the middle of larger frames
    that over the central square of a digit's size; "velocity" is the error at each velocity of the grid, where all
    digits move at it. Forecasts that grow beyond float32 are told of, and measured as `StepErrors` says.
    Samples are "seen", "truth" and "prediction", each (S, T, 1, H, W) float32, over as many steps as training has, of
    the first of the measures; where "length" is measured "length.seen" and so on, over all of its steps; and where
    "velocity" is, "velocity.seen" and so on, whose digits all move at the last velocity of the grid.

    Args:
        files: "model", "digits" and the sequences of each measure, by its name.
        place: where it is done.
        outputs: see `evaluate_to_files`.
        model: the network.
        motion: how digits move.
        measures: which of "test", "length" and "velocity".
        data: `frame`, `seen` and `predicted` of the section of params.yaml.
        length: frames predicted, in "length".
        velocities: flow whose generators make the grid of "velocity".
        training: `batch`, `precision`, `winograd` and `threads` of the section of params.yaml.
    """
    measure = partial(
        _measure,
        files,
        place,
        motion=motion,
        tests=measures,
        data=data,
        length=length,
        velocities=velocities,
        batch=training.batch,
    )
    evaluate_to_files(model, training, files["model"], measure, place, outputs)


def _measure(
    files: dict[str, Path],
    place: Workplace,
    model: nn.Module,
    *,
    motion: Motion,
    tests: list[str],
    data: "DigitData",
    length: int,
    velocities: str,
    batch: int,
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    pool = read_arrays(files["digits"])[0]["test"].to(place.device)
    grid = motion.grid(velocities)
    digit = pool.shape[-1]  # a rim that is mostly black makes a mean look small
    central = digit if motion.centred and digit < data.frame else None

    def rendered(recipes: Recipes, predicted: int) -> Callable[[int, int], Tensor]:
        return RenderedSequences(motion.render, pool, data.seen + predicted, data.frame).of(recipes)

    def errors_of(recipes: Recipes, predicted: int) -> StepErrors:
        frames = rendered(recipes, predicted)
        errors = step_errors(model, frames, len(recipes), batch, data.seen, central)
        if errors.lost:
            say(
                f"{place.run}: from step {errors.lost} of {predicted} on forecasts grow beyond what float32 holds; "
                f"there an error counts as its largest, {LARGEST:.2g}"
            )
        return errors

    def samples_of(recipes: Recipes, predicted: int) -> dict[str, Tensor]:
        frames = rendered(recipes, predicted)(0, SAMPLES)
        seen, truth = frames[:, : data.seen], frames[:, data.seen :]
        return {"seen": seen, "truth": truth, "prediction": held(model(seen, predicted).float())}

    measures: dict[str, Any] = {}
    samples: dict[str, Tensor] = {}
    for name in tests:
        recipes = Recipes.read(files[name])
        if name == "velocity":
            cells = [
                {**label, "mse": errors_of(recipes.moving_at(velocity), data.predicted).mse} for velocity, label in grid
            ]
            mean = sum(cell["mse"] for cell in cells) / len(cells)
            measures[name] = {"mse": mean, "grid": cells, "sequences": len(recipes)}
            # the fastest one, as a rule one that the training did not have
            recipes = recipes.moving_at(grid[-1][0])
            samples |= {f"velocity.{kind}": frames for kind, frames in samples_of(recipes, data.predicted).items()}
        else:
            steps = length if name == "length" else data.predicted
            errors = errors_of(recipes, steps)
            measures[name] = {"mse": errors.mse, **asdict(errors)}
        if name == "length":
            samples |= {f"length.{kind}": frames for kind, frames in samples_of(recipes, steps).items()}
        if "seen" not in samples:
            samples |= samples_of(recipes, data.predicted)
    return measures, samples
