"""Experiment `collision`: what is its own among the experiments with flowing digits."""

from functools import partial
from pathlib import Path
from typing import ClassVar

from fernn.arrays import read_arrays, write_arrays
from fernn.datasets import translating
from fernn.datasets.colliding import Colliding
from fernn.datasets.sequences import Recipes, mean_brightness
from fernn.experiment import Files, Work
from fernn.experiments.collision.params import CollisionParams
from fernn.experiments.digits.experiment import DigitExperiment
from fernn.layout import Layout
from fernn.params import Params


def make_trivial(files: Files, output: Path, *, motion: Colliding, frame: int, seen: int, predicted: int) -> None:
    """Write the errors of forecasts that need no training, each (1, predicted); see `digits.data.make_trivial`.

    "last velocity" moves each digit on at its velocity in the last seen frames: it is exact up to a collision.
    """
    pool = read_arrays(files["digits"])[0]["test"]
    recipes = Recipes.read(files["sequences"])
    frames = motion.render(pool, recipes, seen + predicted, frame)
    shown, truth = frames[:, :seen], frames[:, seen:]
    straight = motion.straight(recipes, seen - 1)
    forecasts = {
        "mean brightness": mean_brightness(shown),
        "last frame": shown[:, -1:],
        "last velocity": translating.render(pool, straight, seen + predicted, frame)[:, seen:],
    }
    errors = {name: (each - truth).square().double().mean((0, 2, 3, 4)) for name, each in forecasts.items()}
    write_arrays(output, {name: each.unsqueeze(0) for name, each in errors.items()}, {})


class CollisionExperiment(DigitExperiment[CollisionParams]):
    """See `DigitExperiment`."""

    name = "collision"
    schema = CollisionParams
    kinds: ClassVar = {"fernn": "fernn.models.predictor:FERNNPredictor"}

    def motion(self, section: CollisionParams) -> Colliding:
        """How the digits move."""
        return Colliding(section.data.frame, section.data.contact)

    def dataset(self, params: Params, layout: Layout, part: str) -> Work:
        """See `DigitExperiment`; no forecast knows of collisions."""
        work = super().dataset(params, layout, part)
        if not part.startswith("trivial-"):
            return work
        inputs = {name: value for name, value in work.inputs.items() if name != "velocities"}
        return Work(partial(make_trivial, **inputs), work.files)


EXPERIMENT = CollisionExperiment()
