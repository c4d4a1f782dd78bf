"""Flowing MNIST: what is measured of a trained predictor."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor, nn

from fernn.arrays import read_arrays
from fernn.datasets.sequences import Motion, Recipes, RenderedSequences
from fernn.errors import say
from fernn.evaluation import Measures, velocity_index
from fernn.evaluation.outcome import Workplace, evaluate_to_files
from fernn.evaluation.prediction import LARGEST, held, measure_prediction, overflow_step
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
    tests: list[str],
    data: "DigitData",
    length: int,
    velocities: str,
    training: "DigitTraining",
) -> None:
    """Measure a trained predictor and write its results.

    "test" and "length" are measured as `measure_prediction` says, and where digits stay in the middle of larger frames
    over the central square of a digit's size too. "velocity" has each measure of a whole test at each
    velocity of the grid, at which all digits move, and the mean of `mse` over the grid.
    Samples are "seen", "truth" and "prediction", each (S, T, 1, H, W) float32, over as many steps as training has, of
    the first of the tests; where "length" is measured "length.seen" and so on, over all of its steps; and where
    "velocity" is, "velocity.seen" and so on, whose digits all move at the last velocity of the grid.

    Args:
        files: "model", "digits" and the sequences of each test, by its name.
        place: where it is done.
        outputs: see `evaluate_to_files`.
        model: the network.
        motion: how digits move.
        tests: which of "test", "length" and "velocity".
        data: `frame`, `seen` and `predicted` of the section of params.yaml.
        length: frames predicted, in "length".
        velocities: flow whose generators make the grid of "velocity".
        training: `batch`, `precision`, `winograd` and `threads` of the section of params.yaml.
    """

    def measure(network: nn.Module) -> tuple[dict[str, Measures], dict[str, Tensor]]:
        pool = read_arrays(files["digits"])[0]["test"].to(place.device)
        digit = pool.shape[-1]  # a rim that is mostly black makes a mean look small
        central = digit if motion.centred and digit < data.frame else None
        overflows: dict[str, int] = {}  # the first step beyond float32, by test

        def rendered(recipes: Recipes, predicted: int) -> Callable[[int, int], Tensor]:
            return RenderedSequences(motion.render, pool, data.seen + predicted, data.frame).of(recipes)

        def errors_of(test: str, recipes: Recipes, predicted: int, central: int | None) -> Measures:
            frames = rendered(recipes, predicted)
            errors = measure_prediction(network, frames, len(recipes), training.batch, data.seen, central)
            if step := overflow_step(errors):
                overflows[test] = min(step, overflows.get(test, step))
            return errors

        def samples_of(recipes: Recipes, predicted: int) -> dict[str, Tensor]:
            frames = rendered(recipes, predicted)(0, SAMPLES)
            seen, truth = frames[:, : data.seen], frames[:, data.seen :]
            return {"seen": seen, "truth": truth, "prediction": held(network(seen, predicted).float())}

        measured: dict[str, Measures] = {}
        samples: dict[str, Tensor] = {}
        for test in tests:
            recipes = Recipes.read(files[test])
            if test == "velocity":
                grid = motion.grid(velocities)
                cells = {velocity_index(v): errors_of(test, recipes.moving_at(v), data.predicted, None) for v in grid}
                whole = [name for name, index in cells[velocity_index(grid[0])] if not index and name != "sequences"]
                measured[test] = {
                    ("sequences", ""): len(recipes),
                    ("mse", ""): sum(cell["mse", ""] for cell in cells.values()) / len(cells),
                    **{(name, index): cell[name, ""] for name in whole for index, cell in cells.items()},
                }
                # the fastest one, as a rule one that the training did not have
                recipes = recipes.moving_at(grid[-1])
                samples |= {f"velocity.{kind}": each for kind, each in samples_of(recipes, data.predicted).items()}
            else:
                steps = length if test == "length" else data.predicted
                measured[test] = errors_of(test, recipes, steps, central)
            if test == "length":
                samples |= {f"length.{kind}": each for kind, each in samples_of(recipes, steps).items()}
            if "seen" not in samples:
                samples |= samples_of(recipes, data.predicted)
        if overflows:
            where = ", ".join(f"{test} from step {step}" for test, step in overflows.items())
            say(
                f"{place.run}: predictions overflow float32 ({where}); their error counts as its largest, {LARGEST:.2g}"
            )
        return measured, samples

    evaluate_to_files(model, training, files["model"], measure, place, outputs)
