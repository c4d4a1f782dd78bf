import json
import re

import numpy as np
import pytest
from safetensors.numpy import save_file

from fernn.errors import FernnError
from fernn.experiments.digits.forecasts import read_samples, read_step_errors, read_velocity_errors
from fernn.results.reading.runs import diverged, epoch_ends, read_metrics
from tests.results.tree import EPOCHS, FRAME, INSIDE, LENGTH, PREDICTED, SEEN, run_of, write_metrics


@pytest.fixture
def run(params):
    return run_of(params, "G-RNN", 1)


def refused(path, remedy, found=""):
    return pytest.raises(FernnError, match=rf"^{re.escape(str(path))} .*{found}.*`{re.escape(remedy)} --scale quick`")


def test_what_was_written_is_read(params, layout, run):
    metrics = read_metrics(layout, run, EPOCHS, "validation_loss")
    assert metrics["epoch"] == [1, 1, 2, 3]
    assert metrics["validation_loss"] == pytest.approx([INSIDE * 0.0264, 0.0264, 0.0176, 0.0352])
    assert read_step_errors(layout, run, "test", PREDICTED).mse == pytest.approx(8.8e-3)
    assert read_step_errors(layout, run, "length", LENGTH).mean[-1] == pytest.approx(9 * 8.8e-3)
    assert read_samples(layout, run).truth.shape == (1, PREDICTED, 1, FRAME, FRAME)


def test_a_grid_of_velocities_is_read_in_the_order_that_is_asked_for(params, layout):
    grid = [{"vx": vx, "vy": vy} for vy in range(2, -3, -1) for vx in range(-2, 3)]
    errors = read_velocity_errors(layout, run_of(params, "G-RNN", 0, flow="V1T"), grid)
    for at, error in zip(grid, errors, strict=True):
        vx, vy = at["vx"], at["vy"]
        assert error == pytest.approx(8e-3 * (1 + vx**2 + 2 * vy**2 + vx * vy))


@pytest.mark.parametrize("file", ["metrics.csv", "evaluation.json", "samples.safetensors"])
def test_a_missing_file_is_named_with_the_command_that_makes_it(layout, run, file):
    path, stage, read = {
        "metrics.csv": (
            layout.run(run.id, file),
            "train",
            lambda: read_metrics(layout, run, EPOCHS, "validation_loss"),
        ),
        "evaluation.json": (
            layout.evaluation(run.id, file),
            "evaluate",
            lambda: read_step_errors(layout, run, "test", PREDICTED),
        ),
        "samples.safetensors": (layout.evaluation(run.id, file), "evaluate", lambda: read_samples(layout, run)),
    }[file]
    path.unlink()
    with refused(path, f"fernn {stage} {run.id}", "is missing"):
        read()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "not a table of numbers"),
        ("epoch,step,validation_loss\n", "not a table of numbers"),
        ("step,validation_loss\n1,2\n2,2\n3,2\n", "no column 'epoch'"),
        ("epoch,step,train_loss\n1,10,2\n2,20,2\n3,30,2\n", "no column 'validation_loss'"),
        ("epoch,step,validation_loss\n1,10,2\n2,20,a\n3,30,2\n", "could not convert"),
        ("epoch,step,validation_loss\n1,10,2\n2\n3,30,2\n", "not a table of numbers"),
        ("epoch,step,validation_loss\n1,10,2\n2,20,2,7\n3,30,2\n", "not a table of numbers"),
        ("epoch,step,validation_loss\n1,10,2\n2,20,nan\n3,30,2\n", "not finite"),
        ("epoch,step,validation_loss\n1,10,2\n2,20,2\n", "2 rows, where params.yaml asks for the epochs 1 to 3"),
        ("epoch,step,validation_loss\n1,10,2\n3,30,2\n2,20,2\n", "epochs 1 to 3"),
        ("epoch,step,validation_loss\n1,10,2\n3,30,nan\n", "epochs 1 to 3"),
        ("epoch,step,validation_loss\n1,10,2\n2,20,2\n3,30,2\n4,40,nan\n", "epochs 1 to 3"),
        ("epoch,step,validation_loss\n1,10,nan\n2,20,nan\n", "not finite"),
        ("epoch,step,validation_loss\n1,10,2\n2,20,2\n3,20,2\n", "its steps do not grow"),
    ],
)
def test_broken_metrics(layout, run, text, found):
    path = layout.run(run.id, "metrics.csv")
    path.write_text(text)
    with refused(path, f"fernn train {run.id}", found):
        read_metrics(layout, run, EPOCHS, "validation_loss")


def test_validations_inside_epochs(layout, run):
    text = "epoch,step,validation_loss\n1,5,4\n1,10,3\n2,15,2\n2,20,5\n3,25,1\n3,30,7\n"
    layout.run(run.id, "metrics.csv").write_text(text)
    metrics = read_metrics(layout, run, EPOCHS, "validation_loss")
    assert metrics["step"] == [5, 10, 15, 20, 25, 30]
    assert epoch_ends(metrics) == {"epoch": [1, 2, 3], "step": [10, 20, 30], "validation_loss": [3, 5, 7]}


@pytest.mark.parametrize(
    ("rows", "epochs"),
    [
        ("1,5,2,nan\n1,10,2,nan\n", [1, 1]),
        ("1,10,2,nan\n", [1]),
        ("1,10,2,2\n2,20,inf,nan\n", [1, 2]),
        ("1,10,2,2\n2,20,2,2\n3,30,nan,2\n", [1, 2, 3]),
    ],
)
def test_metrics_of_a_training_that_diverged(layout, run, rows, epochs):
    assert not diverged(read_metrics(layout, run, EPOCHS, "validation_loss"))
    layout.run(run.id, "metrics.csv").write_text("epoch,step,train_loss,validation_loss\n" + rows)
    metrics = read_metrics(layout, run, EPOCHS, "validation_loss")
    assert metrics["epoch"] == epochs
    assert diverged(metrics)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda _: [1], "should be an object"),
        (lambda it: it | {"parameters": 0}, "parameters: Input should be greater than 0"),
        (lambda it: it | {"run": "translation/V2T/G-RNN/lr0.0001/seed7"}, "of the run translation/.*/seed7"),
        (lambda it: it | {"measures": {"length": it["measures"]["length"]}}, "no measure 'test'"),
        (lambda it: it | {"measures": {"test": {**it["measures"]["test"], "mse": "none"}}}, "measures.test.mse"),
        (lambda it: it | {"measures": {"test": it["measures"]["length"]}}, f"{LENGTH} steps .* asks for {PREDICTED}"),
    ],
)
def test_a_broken_evaluation(layout, run, change, found):
    path = layout.evaluation(run.id, "evaluation.json")
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with refused(path, f"fernn evaluate {run.id}", found):
        read_step_errors(layout, run, "test", PREDICTED)


def test_other_velocities(params, layout):
    run = run_of(params, "G-RNN", 0, flow="V1T")
    path = layout.evaluation(run.id, "evaluation.json")
    with refused(path, f"fernn evaluate {run.id}", "25 velocities, .* asks for 1, from .*'vx': 3"):
        read_velocity_errors(layout, run, [{"vx": 3, "vy": 0}])
    with refused(path, f"fernn evaluate {run.id}", "no measure 'test'"):
        read_step_errors(layout, run, "test", PREDICTED)
    with refused(path, f"fernn evaluate {run.id}", "asks for 1, from .*'degrees': 0.0"):
        read_velocity_errors(layout, run, [{"degrees": 0.0}])
    content = json.loads(path.read_text())
    content["measures"]["velocity"]["grid"][3]["vx"] = "fast"
    path.write_text(json.dumps(content))
    with refused(path, f"fernn evaluate {run.id}", "measures.velocity.grid.3.vx"):
        read_velocity_errors(layout, run, [{"vx": 0, "vy": 0}])


def test_broken_samples(layout, run):
    path = layout.evaluation(run.id, "samples.safetensors")
    arrays = {"seen": np.zeros((1, SEEN, 1, 4, 4), np.float32), "truth": np.zeros((1, 5, 1, 4, 4), np.float32)}
    save_file(arrays, path)
    with refused(path, f"fernn evaluate {run.id}", "prediction"):
        read_samples(layout, run)
    save_file(arrays | {"prediction": np.zeros((1, 4, 1, 4, 4), np.float32)}, path)
    with refused(path, f"fernn evaluate {run.id}", "do not fit"):
        read_samples(layout, run)
    save_file({name: np.zeros((0, 5, 1, 4, 4), np.float32) for name in ("seen", "truth", "prediction")}, path)
    with refused(path, f"fernn evaluate {run.id}", "do not fit"):
        read_samples(layout, run)
    path.write_bytes(path.read_bytes()[:-7])
    with refused(path, f"fernn evaluate {run.id}", "not the samples"):
        read_samples(layout, run)


def test_a_truncated_evaluation(layout, run):
    path = layout.evaluation(run.id, "evaluation.json")
    path.write_bytes(path.read_bytes()[:-9])
    with refused(path, f"fernn evaluate {run.id}", "Invalid JSON"):
        read_step_errors(layout, run, "test", PREDICTED)


def test_metrics_may_have_more_columns(layout, run):
    write_metrics(layout, run, [3.0, 1.0, 2.0])
    metrics = epoch_ends(read_metrics(layout, run, EPOCHS, "validation_loss"))
    assert metrics["train_loss"] == [6.0, 2.0, 4.0]
