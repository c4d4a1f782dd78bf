"""What finished runs left: read as it was written, and named with a remedy where it is of no use."""

import re

import numpy as np
import pytest
from safetensors.numpy import save_file

from fernn.errors import FernnError
from fernn.experiments.digits.forecasts import read_samples
from fernn.experiments.kth.recognition import read_videos
from fernn.layout import Layout
from fernn.results.values import diverged, epoch_ends, read_metrics, read_values, steps
from tests.results.kth_tree import ACTIONS, RIGHT, kth_params, write_kth_run, write_videos
from tests.results.tree import EPOCHS, FRAME, INSIDE, LENGTH, PARAMETERS, PREDICTED, run_of, write_metrics


@pytest.fixture
def run(params):
    return run_of(params, "G-RNN", 1)


@pytest.fixture
def clips(layout):
    params = kth_params()
    run = run_of(params, "G-RNN", 0, flow="V1T")
    write_kth_run(layout, params, run, [0.5] * 4, RIGHT["G-RNN"])
    return run


def refused(path, remedy, found=""):
    return pytest.raises(FernnError, match=rf"^{re.escape(str(path))} .*{found}.*`{re.escape(remedy)} --scale quick`")


def test_what_was_written_is_read(params, layout, run, clips):
    metrics = read_metrics(layout, run, EPOCHS, "validation_loss")
    assert metrics["epoch"] == [1, 1, 2, 3]
    assert metrics["validation_loss"] == pytest.approx([INSIDE * 0.0264, 0.0264, 0.0176, 0.0352])
    other = run_of(params, "G-RNN", 0)
    values = read_values(layout, [run, other, clips])
    assert values.whole([run, other], "test", "mse") == pytest.approx([8.8e-3, 8e-3])
    assert values.whole([run], "", "parameters") == [PARAMETERS]
    assert values.by_index([run], "length", "mse", steps(LENGTH))[0, -1] == pytest.approx(9 * 8.8e-3)
    assert values.by_index([clips], "V1T", "confusion", CONFUSION)[0, :2].tolist() == [12, 8]
    assert values.has(run, "test", "mse")
    assert not values.has(run, "test", "mse_central")
    assert read_samples(layout, run).truth.shape == (1, PREDICTED, 1, FRAME, FRAME)
    write_videos(layout)
    videos = read_videos(layout)
    assert (videos.stand_in, videos.sequences, videos.dropped[0].frames) == (True, 2390, "246-370")


CONFUSION = [f"{true} {taken}" for true in ACTIONS for taken in ACTIONS]


def test_a_grid_of_velocities_is_read_in_the_order_that_is_asked_for(params, layout):
    grid = [(vx, vy) for vy in range(2, -3, -1) for vx in range(-2, 3)]
    run = run_of(params, "G-RNN", 0, flow="V1T")
    (errors,) = read_values(layout, [run]).by_index([run], "velocity", "mse", [f"{vx} {vy}" for vx, vy in grid])
    assert errors.tolist() == pytest.approx([8e-3 * (1 + vx**2 + 2 * vy**2 + vx * vy) for vx, vy in grid])


@pytest.mark.parametrize(
    ("file", "stage", "read"),
    [
        ("metrics.csv", "train", lambda layout, run: read_metrics(layout, run, EPOCHS, "validation_loss")),
        ("results.csv", "evaluate", lambda layout, run: read_values(layout, [run])),
        ("samples.safetensors", "evaluate", read_samples),
    ],
)
def test_a_missing_file_is_named_with_the_command_that_makes_it(layout, run, file, stage, read):
    path = layout.run(run.id, file) if stage == "train" else layout.evaluation(run.id, file)
    path.unlink()
    with refused(path, f"fernn {stage} {run.id}", "is missing"):
        read(layout, run)


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
        ("epoch,step,validation_loss\n1,10,2\n2,20,2\n3,30,0.1", "a row is cut off"),
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


def test_metrics_may_have_more_columns(layout, run):
    write_metrics(layout, run, [3.0, 1.0, 2.0])
    metrics = epoch_ends(read_metrics(layout, run, EPOCHS, "validation_loss"))
    assert metrics["train_loss"] == [6.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda text: text.replace("index", "step"), "its columns are test,measure,step,value, not test,measure,index"),
        (lambda text: text.replace("test,mse,,0.0088", "test,mse,,none"), "value of test,mse, is 'none', no finite"),
        (lambda text: text.replace("test,mse,,0.0088", "test,mse,,inf"), "value of test,mse, is 'inf', no finite"),
        (lambda text: text[:-3], "a row is cut off"),
        (lambda text: text.replace("test,mse,,", "other,mse,,"), "no mse of test 'test'"),
        (lambda text: text.replace("test,mse,2,", "other,mse,2,"), "no mse of test 'test' at '2'"),
        (lambda text: text + "test,mse,6,0.1\n", "mse of test 'test' is at 6 places, where params.yaml asks for 5"),
    ],
)
def test_broken_values(layout, run, change, found):
    path = layout.evaluation(run.id, "results.csv")
    path.write_text(change(path.read_text()))
    with refused(path, f"fernn evaluate {run.id}", found):
        values = read_values(layout, [run])
        values.whole([run], "test", "mse")
        values.by_index([run], "test", "mse", steps(PREDICTED))


def test_broken_samples(layout, run):
    path = layout.evaluation(run.id, "samples.safetensors")
    path.write_bytes(path.read_bytes()[:-7])
    with refused(path, f"fernn evaluate {run.id}", "not the samples"):
        read_samples(layout, run)


def test_videos_without_a_record(tmp_path):
    layout, remedy = Layout("quick", tmp_path), "fernn dataset kth/frames --scale quick"
    with pytest.raises(FernnError, match=f"is missing.*{remedy}"):
        read_videos(layout)
    path = write_videos(layout, stand_in="perhaps")
    with pytest.raises(FernnError, match=f"no record of the videos.*{remedy}"):
        read_videos(layout)
    save_file({"frames": np.zeros(3, np.uint8)}, path)
    with pytest.raises(FernnError, match=f"no record of the videos.*{remedy}"):
        read_videos(layout)
