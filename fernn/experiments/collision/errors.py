"""The errors of finished runs before and after a collision: `python -m fernn.experiments.collision.errors [FOLDER]`."""

import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fernn.arrays import read_arrays
from fernn.datasets.colliding import Colliding
from fernn.datasets.sequences import Recipes
from fernn.experiments import load_params
from fernn.experiments.collision.experiment import EXPERIMENT
from fernn.layout import Layout
from fernn.models.registry import load_model
from fernn.results.claims.statistics import mean
from fernn.runs import runs_of

SCALE, BASE, BATCH = "collision", "FERNN-V2T", 64


def groups(motion: Colliding, recipes: Recipes, seen: int, predicted: int) -> dict[str, Tensor]:
    """The predicted steps, (N, predicted) bool, by what has happened to the digits since the last seen frame."""
    velocity = motion.paths(recipes, seen + predicted)[1]
    arrival = velocity[:, :, seen - 2 : seen - 1]
    change = (velocity[:, :, seen - 1 : -1] - arrival).abs().amax((1, 3)).cummax(1).values
    slow = (arrival.abs().amax((1, 2, 3)) < velocity.abs().max()).unsqueeze(1)
    before = change == 0
    return {
        "all": torch.ones_like(before),
        "no collision yet": before,
        "- both in the interior of V": before & slow,
        "- one at the boundary of V": before & ~slow,
        "after a collision": ~before,
        "- velocities changed by 1": change == 1,
        "- velocities changed by 2": change == 2,
        "- velocities changed by 3 or 4": change > 2,
    }


@torch.no_grad()
def main(folder: Path) -> None:
    """Print the errors of all runs by model and group, and their ratios to those of `BASE`, with 95 % intervals."""
    params, layout = load_params(folder / "params.yaml", SCALE), Layout(SCALE, folder / "results")
    section = EXPERIMENT.section(params)
    data, motion = section.data, EXPERIMENT.motion(section)
    pool = read_arrays(layout.dataset(EXPERIMENT.name, "digits"))[0]["test"]
    runs = list(runs_of(params, EXPERIMENT.name))
    recipes = Recipes.read(layout.dataset(EXPERIMENT.name, f"test-{runs[0].flow}"))
    clips = motion.render(pool, recipes, data.seen + data.predicted, data.frame)
    errors: dict[str, list[Tensor]] = {}
    for run in runs:
        model = load_model(layout.model(run.id))
        forecasts = torch.cat([model(clip[:, : data.seen], data.predicted) for clip in clips.split(BATCH)])
        found = (forecasts - clips[:, data.seen :]).square().mean((2, 3, 4))
        errors.setdefault(run.model, []).append(found.double())
    print("| steps | share |", " | ".join(errors), "|", " | ".join(f"{name} / {BASE}" for name in errors), "|")
    print("| --- " * (2 + 2 * len(errors)) + "|")
    for name, mask in groups(motion, recipes, data.seen, data.predicted).items():
        by_seed = {model: np.array([found[mask].mean() for found in each]) for model, each in errors.items()}
        cells = [
            f"{mask.double().mean():.0%}",
            *(f"{each.mean():.4f} ± {each.std(ddof=1):.4f}" for each in by_seed.values()),
        ]
        print(f"| {name} |", " | ".join([*cells, *(_ratio(each, by_seed[BASE]) for each in by_seed.values())]), "|")
    print("\n| model |", " | ".join(map(str, range(1, data.predicted + 1))), "|")
    print("| --- " * (1 + data.predicted) + "|")
    for model, each in errors.items():
        print(f"| {model} |", " | ".join(f"{error:.4f}" for error in torch.stack(each).mean((0, 1))), "|")


def _ratio(errors: NDArray[np.float64], base: NDArray[np.float64]) -> str:
    """The geometric mean over seeds of the ratio of two errors, and its interval by Student's t."""
    found = mean(np.log(errors / base))
    low, high = np.exp(found.interval(0.025)) if errors is not base else (1, 1)
    return f"{np.exp(found.value):.2f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
