"""Experiment A: what is measured of a trained model."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fernn.datasets.storage import read_arrays
from fernn.datasets.translating import Recipes, RenderedSequences, read_recipes
from fernn.evaluation.prediction import step_errors
from fernn.flows.translation import Translation
from fernn.models.precision import autocast

SAMPLES = 4  # sequences whose predictions are kept for figures


@dataclass(frozen=True)
class EvaluateInputs:
    """What a run's evaluation depends on, besides its code and its files.

    Attributes:
        measures: which of "test", "length" and "velocity".
        frame: side of a frame in pixels.
        seen: frames shown.
        predicted: frames predicted, in "test" and "velocity".
        length: frames predicted, in "length".
        velocities: flow whose generators make the grid of "velocity".
        batch: sequences at a time.
        precision: "float32" or "bf16".
        threads: CPU threads, 0 for all.
    """

    measures: tuple[str, ...]
    frame: int
    seen: int
    predicted: int
    length: int
    velocities: str
    batch: int
    precision: str
    threads: int


def evaluate(
    inputs: EvaluateInputs, model: nn.Module, files: dict[str, Path], device: torch.device
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Measure a model.

    Args:
        inputs: see there.
        model: a trained predictor on the device, in evaluation mode.
        files: "digits" and the sequences of each measure, by its name.
        device: what computes.

    Returns:
        The measures by name (see `_measure`), and samples for figures: "seen", "truth" and "prediction", each
        (S, T, 1, H, W) float32.
    """
    pools, _ = read_arrays(files["digits"])
    pool = pools["test"].to(device)
    measures: dict[str, Any] = {}
    samples: dict[str, Tensor] = {}
    with torch.no_grad(), autocast(device, inputs.precision):
        for name in inputs.measures:
            recipes = read_recipes(files[name])
            measures[name] = _measure(name, inputs, model, pool, recipes)
            if not samples:
                samples = _samples(
                    inputs, model, pool, recipes if name != "velocity" else recipes.moving_at(_corner(inputs))
                )
    return measures, samples


def _measure(name: str, inputs: EvaluateInputs, model: nn.Module, pool: Tensor, recipes: Recipes) -> dict[str, Any]:
    predicted = inputs.length if name == "length" else inputs.predicted
    rendered = RenderedSequences(pool, inputs.seen + predicted, inputs.frame)
    count = len(recipes)
    if name != "velocity":  # error by predicted step, and over all steps
        errors = step_errors(model, rendered.of(recipes), count, inputs.batch, inputs.seen)
        return {"mse": errors.mse, **asdict(errors)}
    grid = [  # error at each velocity that all digits share
        {
            "vx": vx,
            "vy": vy,
            "mse": step_errors(model, rendered.of(recipes.moving_at((vx, vy))), count, inputs.batch, inputs.seen).mse,
        }
        for vx, vy in Translation.parse(inputs.velocities).generators
    ]
    return {"mse": sum(cell["mse"] for cell in grid) / len(grid), "grid": grid, "sequences": count}


def _samples(inputs: EvaluateInputs, model: nn.Module, pool: Tensor, recipes: Recipes) -> dict[str, Tensor]:
    frames = RenderedSequences(pool, inputs.seen + inputs.predicted, inputs.frame).of(recipes)(0, SAMPLES)
    seen, truth = frames[:, : inputs.seen], frames[:, inputs.seen :]
    predicted = model(seen, truth.shape[1]).float()
    return {"seen": seen.cpu(), "truth": truth.cpu(), "prediction": predicted.cpu()}


def _corner(inputs: EvaluateInputs) -> tuple[int, int]:
    """The fastest velocity of the grid, as a rule one that the training did not have."""
    return Translation.parse(inputs.velocities).generators[-1]
