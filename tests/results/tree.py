"""A tree of finished runs with numbers that a test knows."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import yaml
from safetensors.numpy import save_file

from fernn.arrays import write_arrays
from fernn.evaluation import Measures
from fernn.experiments import resolve
from fernn.experiments.digits.forecasts import trivial_files
from fernn.layout import RECORD, Layout
from fernn.models import FERNNPredictor, save_model
from fernn.params import Params
from fernn.provenance.records import Record, write_record
from fernn.runs import Run, all_runs, evaluations_of
from tests import measured

PARAMS = Path(__file__).parents[2] / "params.yaml"
MSE = {"G-RNN": 8e-3, "FERNN-V1T": 6e-4, "FERNN-V2T": 2e-4, "FERNN-V2R": 6e-4, "FERNN-V4R": 2e-4}
TRIVIAL = {"true velocity": 0.0, "mean brightness": 0.06, "last frame": 0.1}
PARAMETERS = 12345
INSIDE = 0.01  # a validation inside the first epoch, times the loss at its end
EPOCHS, SEEN, PREDICTED, LENGTH, FRAME = 3, 4, 5, 9, 6


def small_params(
    scale: str = "quick",
    experiments: tuple[str, ...] = ("translation",),
    rotation: dict[str, object] | None = None,
    **translation: object,
) -> Params:
    """Flowing MNIST in small, at any scale; keywords override keys of the section of experiment A."""
    content = yaml.safe_load(PARAMS.read_text())
    for experiment in ("translation", "rotation"):
        section = content[experiment]
        section["training"]["epochs"] = EPOCHS
        section["data"] |= {"seen": SEEN, "predicted": PREDICTED}
        section["data"]["length"]["predicted"] = LENGTH
        section["seeds"] = [0, 1]
    content["translation"] |= translation
    content["rotation"] |= rotation or {}
    content["scales"] = {scale: {}}
    content["experiments"] = list(experiments)
    return resolve(content, scale)


def write_run(layout: Layout, params: Params, run: Run, losses: Sequence[float], mse: float = 0.01) -> None:
    """The files that training and evaluation of a run leave: `losses` by epoch, and errors about `mse`."""
    write_metrics(layout, run, losses)
    write_training_record(layout, run)
    write_translating(layout, params, run)
    steps = {"test": PREDICTED, "length": LENGTH}
    measures = {}
    for name in evaluations_of(params, run):
        if name == "velocity":
            span = range(-2, 3)
            maps = {f"{vx} {vy}": mse * (1 + vx**2 + 2 * vy**2 + vx * vy) for vx in span for vy in span}
            turns = {f"{10 * step}": mse * (1 + abs(step)) for step in range(-5, 6)}
            grid = maps if run.experiment == "translation" else turns
            found = {("mse", index): value for index, value in grid.items()}
        else:
            found = {("mse", str(step)): mse * step for step in range(1, steps[name] + 1)}
            found |= {("mse_std", step): 0.1 * value for (_, step), value in found.items()}
        measures[name] = {("sequences", ""): 8, ("mse", ""): mse, **found}
    write_evaluation(layout, run, measures)
    ramp = np.linspace(0, 1, (SEEN + PREDICTED) * FRAME * FRAME, dtype=np.float32)
    frames = ramp.reshape(1, SEEN + PREDICTED, 1, FRAME, FRAME)
    truth = np.ascontiguousarray(frames[:, SEEN:])
    samples = {"seen": np.ascontiguousarray(frames[:, :SEEN]), "truth": truth, "prediction": truth * (1 - mse)}
    if "length" in measures:
        far = np.repeat(truth[:, :1], LENGTH, axis=1) * np.linspace(0, 1, LENGTH, dtype=np.float32).reshape(-1, 1, 1, 1)
        samples |= {"length.seen": samples["seen"], "length.truth": far, "length.prediction": far * (1 - mse)}
    if "velocity" in measures:
        samples |= {f"velocity.{kind}": samples[kind] for kind in ("seen", "truth", "prediction")}
    save_file(samples, layout.evaluation(run.id, "samples.safetensors"))


def write_translating(layout: Layout, params: Params, run: Run) -> None:
    """The weights of a small network, where the run is of experiment A: figures of its hidden states read them."""
    if run.experiment == "translation":
        torch.manual_seed(run.seed)
        flow = params.section(run.experiment).models[run.model].flow
        model = FERNNPredictor(flow, hidden_channels=2, decoder_layers=1)
        layout.model(run.id).parent.mkdir(parents=True, exist_ok=True)
        save_model(model, layout.model(run.id))


def write_metrics(layout: Layout, run: Run, losses: Sequence[float]) -> None:
    """Losses by epoch, and a better one of a validation inside the first, as by `validate_every`."""
    path = layout.run(run.id, "metrics.csv")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["epoch", "step", "train_loss", "validation_loss"])
        writer.writerow([1, 5, 2 * INSIDE * losses[0], INSIDE * losses[0]])
        writer.writerows([epoch, 10 * epoch, 2 * loss, loss] for epoch, loss in enumerate(losses, start=1))


def write_training_record(
    layout: Layout, run: Run, seconds: float | None = 1.0, device: str = "abacus", steps: int = 10, workers: int = 1
) -> None:
    """Of a training on a machine, without times if `seconds` is None."""
    details = {"steps": steps, "seconds": seconds, "workers": workers} if seconds else {}
    environment = {"device": device, "determinism": {"threads": 1}}
    record = Record(
        stage="train", name=run.id, scale=layout.scale, inputs={}, lineage="", files={}, outputs={},
        started="", ended="", environment=environment, details=details,
    )  # fmt: skip
    write_record(layout.run(run.id, RECORD), record)


def write_evaluation(layout: Layout, run: Run, tests: dict[str, Measures]) -> None:
    measured.write(layout.evaluation(run.id, "results.csv"), {"": {("parameters", ""): PARAMETERS}} | tests)


def write_trivial(layout: Layout, params: Params) -> None:
    """The errors of the baselines for all measurements: as by `TRIVIAL` at each velocity and step."""
    steps = {"test": PREDICTED, "length": LENGTH, "velocity": PREDICTED}
    for path in trivial_files(params, layout, params.experiments):
        _, measure, flow = path.stem.split("-")
        velocities = {"T": 25, "R": 11}[flow[-1]] if measure == "velocity" else 1
        errors = {name: np.full((velocities, steps[measure]), value) for name, value in TRIVIAL.items()}
        write_arrays(path, errors, {})


def write_tree(layout: Layout, params: Params) -> None:
    """All runs of the params: the test MSE of seed s is that of `MSE`, times 1 + s / 10; and the baselines."""
    write_trivial(layout, params)
    for run in all_runs(params).values():
        mse = MSE[run.model] * (1 + run.seed / 10)
        write_run(layout, params, run, (3 * mse, 2 * mse, 4 * mse), mse)


def run_of(params: Params, model: str, seed: int, flow: str = "V2T", rate: float | None = None) -> Run:
    """The run of params.yaml with these marks."""
    (found,) = [
        run
        for run in all_runs(params).values()
        if (run.model, run.seed, run.flow) == (model, seed, flow) and rate in (None, run.learning_rate)
    ]
    return found
