"""Experiment B: what its plan and its files hold besides those of all flowing digits."""

from dataclasses import replace

import pytest
import torch

from fernn.arrays import read_arrays
from fernn.datasets.rotating import Rotating
from fernn.datasets.sequences import Recipes
from fernn.errors import FernnError
from fernn.experiment import Work
from fernn.experiments import load_params
from fernn.experiments.digits.forecasts import read_samples
from fernn.experiments.rotation.experiment import EXPERIMENT
from fernn.files import sha256
from fernn.layout import Layout
from fernn.models import load_model
from fernn.models.rotation.basis import factors
from fernn.params import Params
from fernn.pipeline.stages import evaluate_run, make_result, train_run
from fernn.provenance.records import read_record
from fernn.results.values import read_values
from fernn.runs import Run, all_runs, find_run
from tests.experiments.flowing import RUNS, SCALE, write_params
from tests.experiments.tasks import network_of

RUN = RUNS["rotation"]


def training(params: Params, run: Run) -> Work:
    return EXPERIMENT.training(params, Layout(params.scale), run)


def test_the_papers_experiment(root):
    params = load_params(root / "params.yaml", "paper")
    runs = {run.group: run for run in all_runs(params).values() if run.experiment == "rotation"}
    assert list(runs) == [
        f"rotation/{name}/lr0.0001" for name in
        ("V4R/G-RNN", "V4R/FERNN-V2R", "V4R/FERNN-V4R", "V1R/G-RNN", "V1R/FERNN-V4R")
    ]  # fmt: skip
    inputs = training(params, runs["rotation/V4R/FERNN-V2R/lr0.0001"]).inputs
    assert (inputs["flow"], inputs["motion"]) == ("V4R", Rotating(10.0))
    data = {"digits": 2, "frame": 40, "seen": 10, "predicted": 10, "train": 54000, "seed": 42}
    assert inputs["data"].model_dump() == data
    assert inputs["model"].arguments == {
        "flow": "V2R", "degrees": 10.0, "fields": 32, "group_order": 36, "kernel_size": 3, "decoder_layers": 4,
        "convolution": "steerable", "frame": "lab",
    }  # fmt: skip
    assert inputs["training"] == params.rotation.training
    measured = EXPERIMENT.evaluation(params, Layout("paper"), runs["rotation/V1R/FERNN-V4R/lr0.0001"]).inputs
    assert (measured["tests"], measured["velocities"], measured["motion"]) == (["velocity"], "V5R", Rotating(10.0))
    assert EXPERIMENT.dataset(params, Layout("paper"), "test-V4R").inputs["sequences"] == 10000


@pytest.mark.parametrize("convolution", ["steerable", "dense"])
@pytest.mark.parametrize("frame", ["lab", "co-moving"])
def test_the_params_reach_the_model(root, tmp_path, convolution, frame):
    params = write_params(root, tmp_path)
    architecture = params.rotation.architecture.model_copy(update={"convolution": convolution, "frame": frame})
    params = params.model_copy(update={"rotation": params.rotation.model_copy(update={"architecture": architecture})})
    model = network_of(training(params, find_run(params, RUN)))
    expected = {
        "flow": "V2R", "degrees": 30.0, "fields": 2, "group_order": 12, "channels": 1, "kernel_size": 3,
        "decoder_layers": 1, "convolution": convolution, "frame": frame,
    }  # fmt: skip
    assert model.config == expected


def test_weights_start_alike_however_they_are_used(root, tmp_path):
    """Whichever model is the first of a process, which takes the filters' basis apart."""
    params = write_params(root, tmp_path)
    work = training(params, find_run(params, RUN))
    model, weights = work.inputs["model"], []
    for convolution, frame in (("steerable", "lab"), ("steerable", "co-moving"), ("dense", "lab")):
        factors.cache_clear()
        chosen = replace(model, arguments={**model.arguments, "convolution": convolution, "frame": frame})
        for _ in range(2):
            built = network_of(work, model=chosen)
            weights.append(torch.cat([weight.flatten() for weight in built.parameters()]))
    assert all(torch.equal(weights[0], other) for other in weights[1:])


def test_cropped_frames(root, tmp_path):
    """A frame smaller than the digit; the recipes are those of a larger one, and results read what is measured."""
    small, large = (write_params(root, tmp_path, digit=14, frame=frame) for frame in (10, 16))
    layouts = [Layout(SCALE, tmp_path / name) for name in ("small", "large")]
    for params, layout in zip((small, large), layouts, strict=True):
        for part in ("digits", "validation-V1R", "test-V1R", "length-V1R", "velocity-V0R"):
            make_result(params, layout, "dataset", f"rotation/{part}")
    parts = [layout.dataset("rotation", "test-V1R").read_bytes() for layout in layouts]
    assert parts[0] == parts[1]

    layout, run = layouts[0], find_run(small, RUN)
    train_run(small, layout, RUN, allow_cpu=True)
    evaluate_run(small, layout, RUN, allow_cpu=True)
    assert read_record(layout.run(RUN, "record.json")).details["convolution"] == "steerable"
    grid = ["-60", "-30", "0", "30", "60"]  # degrees
    assert (read_values(layout, [run]).by_index([run], "velocity", "mse", grid) > 0).all()
    assert read_samples(layout, run).prediction.shape == (2, 3, 1, 10, 10)
    assert load_model(layout.run(RUN, "model.safetensors")).config["degrees"] == 30


def test_the_record_alone_says_what_a_file_was_made_from(root, tmp_path):
    params, layout = write_params(root, tmp_path), Layout(SCALE, tmp_path)
    for part in ("digits", "velocity-V0R"):
        make_result(params, layout, "dataset", f"rotation/{part}")
    path = layout.dataset("rotation", "velocity-V0R")
    assert Recipes.read(path).start.dtype == torch.float64
    record = read_record(path.with_suffix(".record.json"))
    expected = {
        "stream": "velocity-V0R", "pool": "test", "flow": "V0R", "sequences": 3, "digits": 2, "seed": 42,
        "motion": {"class": "Rotating", "degrees": 30},
    }  # fmt: skip
    assert expected.items() <= record.inputs.items()
    digits = layout.dataset("rotation", "digits")
    assert record.files == {"digits": {str(digits): sha256(digits)}}
    assert read_arrays(path)[1] == read_arrays(layout.dataset("rotation", "digits"))[1] == {}


def test_a_flow_of_another_kind(root, tmp_path):
    params, layout = write_params(root, tmp_path), Layout(SCALE, tmp_path)
    make_result(params, layout, "dataset", "rotation/digits")
    with pytest.raises(FernnError, match="'V1T' names no flow of rotation"):
        make_result(params, layout, "dataset", "rotation/test-V1T")
