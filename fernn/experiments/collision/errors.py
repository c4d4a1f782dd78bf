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
    """Print errors by model and group of steps, over the seeds of which all models are trained.

    Mean and standard deviation over seeds, and the ratio to `BASE` with its 95 % interval.
    """
    params, layout = load_params(folder / "params.yaml", SCALE), Layout(SCALE, folder / "results")
    section = EXPERIMENT.section(params)
    data, motion = section.data, EXPERIMENT.motion(section)
    every = list(runs_of(params, EXPERIMENT.name))
    missing = {run.seed for run in every if not layout.model(run.id).is_file()}
    runs = [run for run in every if run.seed not in missing]
    if not runs:
        raise SystemExit(f"{layout.base}: no seed has all its models. snakemake --cores all --config scale={SCALE}")
    pool = read_arrays(layout.dataset(EXPERIMENT.name, "digits"))[0]["test"]
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
        cells = [f"{mask.double().mean():.0%}", *map(_spread, by_seed.values())]
        print(f"| {name} |", " | ".join([*cells, *(_ratio(each, by_seed[BASE]) for each in by_seed.values())]), "|")
    print("\n| model |", " | ".join(map(str, range(1, data.predicted + 1))), "|")
    print("| --- " * (1 + data.predicted) + "|")
    for model, each in errors.items():
        print(f"| {model} |", " | ".join(f"{error:.4f}" for error in torch.stack(each).mean((0, 1))), "|")


def _spread(errors: NDArray[np.float64]) -> str:
    return f"{errors.mean():.4f}" + (f" ± {errors.std(ddof=1):.4f}" if len(errors) > 1 else "")


def _ratio(errors: NDArray[np.float64], base: NDArray[np.float64]) -> str:
    """The geometric mean over seeds of the ratio of two errors, and its interval by Student's t."""
    logarithms = np.log(errors / base)
    found = f"{np.exp(logarithms.mean()):.2f}"
    if errors is base or len(errors) < 2:
        return found
    low, high = np.exp(mean(logarithms).interval(0.025))
    return f"{found} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
