"""Flowing MNIST: what is measured of a trained predictor."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import Tensor, nn

from fernn.arrays import read_arrays
from fernn.datasets.sequences import Recipes, RenderedSequences
from fernn.errors import say
from fernn.evaluation.outcome import Evaluation, Measures, Workplace, evaluate_to_files
from fernn.evaluation.prediction import LARGEST, held, measure_prediction, overflow_step, velocity_index
from fernn.experiments.digits.motion import Motion

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
    """Measure a trained predictor and write its results.

    "test" and "length" are measured as `measure_prediction` says, and where digits stay in the middle of larger frames
    over the central square of a digit's size too. "velocity" has `mse`, `mse_median` and `lost` over all steps at each
    velocity of the grid, at which all digits move, and the mean of the first over the grid.
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
) -> tuple[dict[str, Measures], dict[str, Tensor]]:
    pool = read_arrays(files["digits"])[0]["test"].to(place.device)
    grid = [velocity for velocity, _ in inputs.motion.grid(inputs.velocities)]
    digit = pool.shape[-1]  # a rim that is mostly black makes a mean look small
    central = digit if inputs.motion.centred and digit < inputs.frame else None
    overflows: dict[str, int] = {}  # the first step beyond float32, by test

    def rendered(recipes: Recipes, predicted: int) -> Callable[[int, int], Tensor]:
        return RenderedSequences(inputs.motion.render, pool, inputs.seen + predicted, inputs.frame).of(recipes)

    def measure(test: str, recipes: Recipes, predicted: int) -> Measures:
        frames = rendered(recipes, predicted)
        measured = measure_prediction(model, frames, len(recipes), inputs.batch, inputs.seen, central)
        if step := overflow_step(measured):
            overflows[test] = min(step, overflows.get(test, step))
        return measured

    def samples_of(recipes: Recipes, predicted: int) -> dict[str, Tensor]:
        frames = rendered(recipes, predicted)(0, SAMPLES)
        seen, truth = frames[:, : inputs.seen], frames[:, inputs.seen :]
        return {"seen": seen, "truth": truth, "prediction": held(model(seen, predicted).float())}

    measures: dict[str, Measures] = {}
    samples: dict[str, Tensor] = {}
    for name in inputs.measures:
        recipes = Recipes.read(files[name])
        if name == "velocity":
            cells = {velocity_index(v): measure(name, recipes.moving_at(v), inputs.predicted) for v in grid}
            measures[name] = {
                ("sequences", ""): len(recipes),
                ("mse", ""): sum(cell["mse", ""] for cell in cells.values()) / len(cells),
            }
            for kind in ("mse", "mse_median", "lost"):
                measures[name] |= {(kind, index): cell[kind, ""] for index, cell in cells.items()}
            # the fastest one, as a rule one that the training did not have
            recipes = recipes.moving_at(grid[-1])
            samples |= {f"velocity.{kind}": frames for kind, frames in samples_of(recipes, inputs.predicted).items()}
        else:
            steps = inputs.length if name == "length" else inputs.predicted
            measures[name] = measure(name, recipes, steps)
        if name == "length":
            samples |= {f"length.{kind}": frames for kind, frames in samples_of(recipes, steps).items()}
        if "seen" not in samples:
            samples |= samples_of(recipes, inputs.predicted)
    if overflows:
        where = ", ".join(f"{test} from step {step}" for test, step in overflows.items())
        say(f"{place.run}: predictions overflow float32 ({where}); their error counts as its largest, {LARGEST:.2g}")
    return measures, samples
