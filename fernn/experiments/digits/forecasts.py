"""Reading the predicted sequences that evaluations kept for figures, and the errors of baselines."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fernn.arrays import read_arrays
from fernn.experiments.digits.params import tested_on
from fernn.layout import Layout
from fernn.params import Params
from fernn.results import values
from fernn.results.values import ResultFile
from fernn.runs import Run, evaluations_of, runs_of


@dataclass(frozen=True)
class Samples:
    """Test sequences and what a model made of them, each (S, T, 1, H, W) float32 with values in [0, 1] or near."""

    seen: NDArray[np.float32]
    truth: NDArray[np.float32]
    prediction: NDArray[np.float32]


def read_samples(layout: Layout, run: Run, of: str = "") -> Samples:
    """The test sequences that a run's evaluation kept for figures.

    of="length." are its long forecasts, of="velocity." sequences whose digits all move at the grid's last velocity.
    FernnError if samples.safetensors is missing or has other arrays.
    """
    return Samples(*values.read_samples(layout, run, *(of + kind for kind in ("seen", "truth", "prediction"))))


def trivial_file(layout: Layout, experiment: str, test: str, flow: str) -> Path:
    """The errors of baselines, in a test of the runs that were trained on a flow."""
    return layout.dataset(experiment, f"trivial-{tested_on(test, flow)}")


def trivial_files(params: Params, layout: Layout, experiments: Iterable[str]) -> list[Path]:
    """The errors of baselines in all tests of the runs of some experiments."""
    found = (
        trivial_file(layout, experiment, test, run.flow)
        for experiment in experiments
        for run in runs_of(params, experiment)
        for test in evaluations_of(params, run)
    )
    return list(dict.fromkeys(found))


def read_trivial_errors(
    layout: Layout, experiment: str, test: str, flow: str, steps: int, velocities: int = 1
) -> dict[str, NDArray[np.float64]]:
    """The errors of baselines in a test by name, from the worst to the best, each (velocities, steps).

    `flow` is that of the training data. FernnError if the file is missing or malformed, or of other shapes.
    """
    path = trivial_file(layout, experiment, test, flow)
    found = {name: array.numpy() for name, array in read_arrays(path)[0].items()}
    if any(errors.shape != (velocities, steps) for errors in found.values()) or not found:
        shapes = ", ".join(f"{name} {errors.shape}" for name, errors in found.items()) or "nothing"
        asked = f"it holds {shapes}, where params.yaml asks for {velocities} velocities and {steps} steps"
        raise ResultFile(path, f"dataset {experiment}/{path.stem} --scale {layout.scale}").broken(asked)
    return dict(sorted(found.items(), key=lambda item: -item[1].mean()))
