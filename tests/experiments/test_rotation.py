"""Experiment B: what its plan and its files hold besides those of all flowing digits."""

import json
from dataclasses import replace

import pytest
import torch

from fernn.datasets.sequences import read_recipes
from fernn.datasets.storage import read_arrays
from fernn.errors import FernnError
from fernn.experiments.rotation.plan import dataset_inputs, evaluate_inputs, train_inputs
from fernn.experiments.rotation.train import build
from fernn.models import load_model
from fernn.models.rotation.basis import factors
from fernn.params import load_params
from fernn.results.forecasts import read_samples, read_turn_errors
from fernn.runs import Layout, all_runs, find_run
from fernn.stages import evaluate_run, make_dataset, train_run
from tests.experiments.flowing import RUNS, SCALE, write_params

RUN = RUNS["rotation"]


def test_the_papers_experiment(root):
    params = load_params(root / "params.yaml", "paper")
    runs = {run.group: run for run in all_runs(params).values() if run.experiment == "rotation"}
    assert list(runs) == [
        f"rotation/{name}/lr0.0001" for name in
        ("V4R/G-RNN", "V4R/FERNN-V2R", "V4R/FERNN-V4R", "V1R/G-RNN", "V1R/FERNN-V4R")
    ]  # fmt: skip
    inputs = train_inputs(params, runs["rotation/V4R/FERNN-V2R/lr0.0001"])
    assert (inputs.model_flow, inputs.data_flow, inputs.degrees) == ("V2R", "V4R", 10.0)
    assert (inputs.frame, inputs.seen, inputs.predicted) == (40, 10, 10)
    assert (inputs.fields, inputs.group_order, inputs.kernel_size, inputs.decoder_layers) == (32, 36, 3, 4)
    assert (inputs.epochs, inputs.batch, inputs.clip_norm) == (50, 32, None)
    measured = evaluate_inputs(params, runs["rotation/V1R/FERNN-V4R/lr0.0001"])
    assert (measured.measures, measured.velocities, measured.degrees) == (("velocity",), "V5R", 10.0)
    assert dataset_inputs(params, "test-V4R").sequences == 10000


@pytest.mark.parametrize("convolution", ["steerable", "dense"])
@pytest.mark.parametrize("frame", ["lab", "co-moving"])
def test_the_params_reach_the_model(root, tmp_path, convolution, frame):
    params = write_params(root, tmp_path)
    architecture = params.rotation.architecture.model_copy(update={"convolution": convolution, "frame": frame})
    params = params.model_copy(update={"rotation": params.rotation.model_copy(update={"architecture": architecture})})
    model = build(train_inputs(params, find_run(params, RUN)), torch.device("cpu"))
    expected = {
        "flow": "V2R", "degrees": 30.0, "fields": 2, "group_order": 12, "channels": 1, "kernel_size": 3,
        "decoder_layers": 1, "convolution": convolution, "frame": frame,
    }  # fmt: skip
    assert model.config == expected


def test_weights_start_alike_however_they_are_used(root, tmp_path):
    """Whichever model is the first of a process, which takes the filters' basis apart."""
    params = write_params(root, tmp_path)
    inputs = train_inputs(params, find_run(params, RUN))
    weights = []
    for convolution, frame in (("steerable", "lab"), ("steerable", "co-moving"), ("dense", "lab")):
        factors.cache_clear()
        model = build(replace(inputs, convolution=convolution, state_frame=frame), torch.device("cpu"))
        weights.append(torch.cat([weight.flatten() for weight in model.parameters()]))
        again = build(replace(inputs, convolution=convolution, state_frame=frame), torch.device("cpu"))
        weights.append(torch.cat([weight.flatten() for weight in again.parameters()]))
    assert all(torch.equal(weights[0], other) for other in weights[1:])


def test_cropped_frames(root, tmp_path):
    """A frame smaller than the digit; the recipes are those of a larger one, and results read what is measured."""
    small, large = (write_params(root, tmp_path, digit=14, frame=frame) for frame in (10, 16))
    layouts = [Layout(SCALE, tmp_path / name) for name in ("small", "large")]
    for params, layout in zip((small, large), layouts, strict=True):
        for part in ("digits", "validation-V1R", "test-V1R", "length-V1R", "velocity-V0R"):
            make_dataset(params, layout, f"rotation/{part}")
    parts = [layout.dataset("rotation", "test-V1R").read_bytes() for layout in layouts]
    assert parts[0] == parts[1]

    layout, run = layouts[0], find_run(small, RUN)
    train_run(small, layout, RUN, allow_cpu=True)
    evaluate_run(small, layout, RUN)
    degrees = [-60.0, -30.0, 0.0, 30.0, 60.0]
    assert (read_turn_errors(layout, run, degrees) > 0).all()
    assert read_samples(layout, run).prediction.shape == (4, 3, 1, 10, 10)
    assert load_model(layout.run(RUN, "model.safetensors")).config["degrees"] == 30


def test_a_file_says_what_it_was_made_from(root, tmp_path):
    params, layout = write_params(root, tmp_path), Layout(SCALE, tmp_path)
    for part in ("digits", "velocity-V0R"):
        make_dataset(params, layout, f"rotation/{part}")
    path = layout.dataset("rotation", "velocity-V0R")
    assert read_recipes(path).start.dtype == torch.float64
    _, about = read_arrays(path)
    assert about["inputs"] == {
        "stream": "velocity-V0R", "pool": "test", "flow": "V0R", "sequences": 3, "digits": 2, "seed": 42, "degrees": 30
    }  # fmt: skip
    assert json.dumps(about["digits"])


def test_a_flow_of_another_kind(root, tmp_path):
    params, layout = write_params(root, tmp_path), Layout(SCALE, tmp_path)
    make_dataset(params, layout, "rotation/digits")
    with pytest.raises(FernnError, match="'V1T' names no flow of rotation"):
        make_dataset(params, layout, "rotation/test-V1T")
