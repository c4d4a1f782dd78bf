from dataclasses import replace
from itertools import pairwise

import matplotlib
import matplotlib.style
import numpy as np
import pytest
import torch
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from PIL import Image
from safetensors.numpy import load_file, save_file

from fernn.arrays import write_arrays
from fernn.errors import FernnError
from fernn.experiments.digits.figures import (
    length_generalization,
    moving_forecasts,
    predictions,
    rollouts,
    trivial_curves,
    validation_loss,
)
from fernn.experiments.rotation import figures as rotation
from fernn.experiments.translation import figures as translation
from fernn.experiments.translation.figures import _states, _ticks, hidden_states, moving_states
from fernn.flows.translation import Translation
from fernn.layout import Layout
from fernn.models.cell import FERNNCell
from fernn.params import Params
from fernn.results.figures import LINES, STYLE, save_moving
from fernn.runs import all_runs
from tests.results.made import figure_names, select, write_figures
from tests.results.tree import (
    EPOCHS,
    INSIDE,
    LENGTH,
    MSE,
    PREDICTED,
    SEEN,
    small_params,
    write_evaluation,
    write_run,
    write_tree,
    write_trivial,
)


def of(params, layout, flow):
    return [selection for selection in select(params, layout) if selection.flow == flow]


def curves(axes):
    return {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


def test_the_names_follow_from_the_params():
    stems = [name.removesuffix(".png") for name in figure_names(small_params()) if name.endswith(".png")]
    each = ["predictions", "validation_loss", "training"]
    of_v1 = [*each, "velocity_generalization", "hidden_states", "hidden_states-moving"]
    assert stems == [
        *(f"translation-V2T-{kind}" for kind in [*each, "length_generalization", "rollouts"]),
        *(f"translation-V1T-{kind}" for kind in of_v1),
    ]
    alone = small_params(runs=[{"flow": "V1T", "models": ["G-RNN"], "evaluate": ["test"]}])
    pdf = [name for name in figure_names(alone) if name.endswith(".pdf")]
    assert pdf == [f"translation-V1T-{kind}.pdf" for kind in each]
    with_rotation = figure_names(small_params(experiments=("translation", "rotation")))
    assert "rotation-V4R-length_generalization.png" in with_rotation
    assert "rotation-V1R-velocity_generalization.pdf" in with_rotation


def test_the_same_inputs_give_the_same_bytes(params, layout, tmp_path):
    paths = write_figures(params, layout)
    assert paths == [layout.figure(name) for name in figure_names(params)]
    other = Layout("quick", tmp_path / "elsewhere")
    write_tree(other, params)
    with matplotlib.rc_context({"font.size": 30, "savefig.dpi": 20}):  # a user's settings have no say
        again = write_figures(params, other)
        assert matplotlib.rcParams["font.size"] == 30
    for one, two in zip(paths, again, strict=True):
        content = one.read_bytes()
        assert content == two.read_bytes()
        assert content.startswith({".png": b"\x89PNG", ".pdf": b"%PDF"}[one.suffix])
        assert b"CreationDate" not in content
    assert sorted(path.name for path in layout.base.joinpath("figures").iterdir()) == sorted(figure_names(params))


def test_validation_loss(params, layout):
    figure = validation_loss(params, layout, of(params, layout, "V2T"))
    (axes,) = figure.axes
    found = curves(axes)
    assert list(found) == ["G-RNN", "FERNN-$V_{1}^{T}$", "FERNN-$V_{2}^{T}$"]
    assert axes.get_yscale() == "log"
    np.testing.assert_array_equal(found["G-RNN"].get_xdata(), [5, 10, 20, 30])  # one inside the first epoch
    np.testing.assert_allclose(found["G-RNN"].get_ydata(), 8e-3 * 1.05 * np.array([3 * INSIDE, 3, 2, 4]))
    assert found["G-RNN"].get_color() == LINES["G-RNN"][0]
    assert len(axes.lines) == 3 + 3 * 2  # means and seeds
    assert "scale quick" in words(figure)
    assert "seeds 0, 1" in words(figure)
    figure.draw_without_rendering()
    (above,) = axes.child_axes
    assert (axes.get_xlabel(), above.get_xlabel()) == ("Optimizer step", "Epoch")
    assert (axes.get_xlim(), above.get_xlim()) == ((5, 30), pytest.approx((0.5, EPOCHS)))


def test_length_generalization(tmp_path):
    params, layout = small_params(seeds=[0, 1, 3]), Layout("quick", tmp_path)
    write_tree(layout, params)
    steps, mean = np.arange(1, LENGTH + 1), (1 + 1.1 + 1.3) / 3
    (axes,) = length_generalization(params, layout, of(params, layout, "V2T")).axes
    found = curves(axes)["FERNN-$V_{2}^{T}$"]
    np.testing.assert_allclose(found.get_ydata(), 2e-4 * mean * steps)
    # the band goes from the best seed to the worst
    band = [item for item in axes.collections if isinstance(item, PolyCollection)][-1].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((2e-4, 2e-4 * 1.3 * LENGTH))
    assert "mean, each seed and their range; seeds 0, 1, 3" in words(axes.figure)
    # its deviation over the sequences is a tenth of each error; the axis goes by the errors
    dotted = [line for line in axes.lines if line.get_linestyle() == ":"][-2:]
    np.testing.assert_allclose([line.get_ydata() for line in dotted], 2e-4 * mean * np.outer([0.9, 1.1], steps))
    assert "standard deviation over sequences" in words(axes.figure)
    assert 1e-4 < axes.get_ylim()[0] <= 2e-4
    grey = [line for line in axes.lines if line.get_color() == "0.55"]
    assert [set(line.get_ydata()) for line in grey] == [{0.1}, {0.06}]
    assert "last frame" in words(axes.figure)
    assert "true velocity: no error" in words(axes.figure)
    for line in (found, *dotted, *grey):
        np.testing.assert_array_equal(line.get_xdata(), steps)
    horizon = [line for line in axes.lines if list(line.get_xdata()) == [PREDICTED, PREDICTED]]
    assert len(horizon) == 1
    (shade,) = axes.patches
    assert (shade.get_bbox().x0, shade.get_bbox().x1) == (1, PREDICTED) != (1, SEEN)


def test_a_model_of_fewer_seeds_is_told(params, layout):
    first, *others = of(params, layout, "V2T")
    one = replace(others[-1], candidates=tuple(replace(each, runs=each.runs[:1]) for each in others[-1].candidates))
    figure = length_generalization(params, layout, [first, *others[:-1], one])
    assert "seeds 0, 1 (FERNN-$V_{2}^{T}$: 0)" in words(figure)


def test_velocity_generalization(params, layout):
    figure = translation.velocity_generalization(params, layout, of(params, layout, "V1T"))
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title() for axes in panels] == ["G-RNN", "FERNN-$V_{2}^{T}$"]
    images = [axes.images[0] for axes in panels]
    vy, vx = np.mgrid[-2:3, -2:3]
    shape = 1 + vx**2 + 2 * vy**2 + vx * vy
    for image, model in zip(images, ("G-RNN", "FERNN-V2T"), strict=True):
        np.testing.assert_allclose(image.get_array(), 1e3 * MSE[model] * 1.05 * shape)
    assert images[0].norm is images[1].norm
    assert (images[0].norm.vmin, images[0].norm.vmax) == pytest.approx((0.21, 8.4 * 17))
    # what is written in the cell of (vx, vy) = (-2, 1), below the middle
    (cell,) = [text for text in panels[0].texts if text.get_position() == (-2, 1)]
    assert cell.get_text() == "42"
    assert "last frame 100, mean brightness 60, true velocity 0" in words(figure)
    (outline,) = panels[0].patches
    assert outline.get_bbox().extents == pytest.approx((-1.5, -1.5, 1.5, 1.5))


def test_velocity_generalization_of_rotation(tmp_path):
    params, layout = small_params(experiments=("rotation",)), Layout("quick", tmp_path)
    write_tree(layout, params)
    (axes,) = rotation.velocity_generalization(params, layout, of(params, layout, "V1R")).axes
    found = curves(axes)
    assert list(found) == ["G-RNN", "FERNN-$V_{4}^{R}$"]
    degrees = np.arange(-50, 51, 10)
    np.testing.assert_array_equal(found["G-RNN"].get_xdata(), degrees)
    np.testing.assert_allclose(found["G-RNN"].get_ydata(), 8e-3 * 1.05 * (1 + abs(degrees) / 10))
    assert "true velocity: no error" in words(axes.figure)
    assert [set(line.get_ydata()) for line in axes.lines[-2:]] == [{0.1}, {0.06}]
    (shade,) = axes.patches
    assert (shade.get_bbox().x0, shade.get_bbox().x1) == (-15, 15)
    turning = params.rotation.data.model_dump() | {"velocity": {"sequences": 1, "flow": "V4R"}}
    other = small_params(experiments=("rotation",), rotation={"data": turning})
    with pytest.raises(FernnError, match="mse of test 'velocity' is at 11 places, where params"):
        rotation.velocity_generalization(other, layout, of(other, layout, "V1R"))


def test_errors_of_rounding_leave_gaps():
    axes = Figure().add_subplot(yscale="log")
    errors = {"some": np.array([0.1, 1e-15, 0.3]), "none": np.zeros(3), "all": np.ones(3)}
    assert trivial_curves(axes, (1, 2, 3), errors) == "none, grey gaps: no error"
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), [0.1, np.nan, 0.3])
    assert [text.get_text() for text in axes.texts] == ["some", "all"]
    assert axes.get_ylim()[0] > 0.01
    assert not trivial_curves(axes, (1, 2, 3), {"all": np.ones(3)})


def test_names_of_trivial_forecasts_do_not_lie_on_each_other():
    axes = Figure(figsize=(5, 3), dpi=100).add_subplot(yscale="log", ylim=(1e-3, 1e3))
    ends = {"highest": 0.12, "alone": 100.0, "low": 0.1, "middle": 0.11}
    trivial_curves(axes, (1, 2), {name: np.full(2, end) for name, end in ends.items()})
    axes.figure.draw_without_rendering()
    boxes = {text.get_text(): text.get_window_extent() for text in axes.texts}
    upwards = ["low", "middle", "highest", "alone"]
    assert all(boxes[below].y1 <= boxes[above].y0 for below, above in pairwise(upwards))
    assert axes.texts[-1].get_position() == (3, 0), "one that has room stands at the end of its curve"


def test_a_grid_of_one_error(params, layout):
    runs = [{"flow": "V1T", "models": ["G-RNN"], "evaluate": ["velocity"]}]
    data = params.translation.data.model_dump() | {"velocity": {"sequences": 1, "flow": "V0T"}}
    still = small_params(runs=runs, data=data)
    velocity = {("sequences", ""): 1, ("mse", ""): 0.5, ("mse", "0 0"): 0.5}
    for selection in select(still, layout):
        for run in selection.runs:
            write_evaluation(layout, run, {"velocity": velocity})
    write_arrays(layout.dataset("translation", "trivial-velocity-V0T"), {"one": np.ones((1, PREDICTED))}, {})
    figure = translation.velocity_generalization(still, layout, select(still, layout))
    assert figure.axes[0].images[0].get_array().tolist() == [[500]]


def test_predictions(params, layout):
    selections = of(params, layout, "V2T")
    figure = predictions(params, layout, selections)
    images = figure.axes[0].images
    assert len(images) == SEEN + PREDICTED * (1 + 2 * 3)  # the truth is the same for all three
    last = images[-1].get_array()
    assert last.shape == (6, 6)
    np.testing.assert_allclose(last.max(), MSE["FERNN-V2T"], rtol=1e-3)  # the last pixel of the truth is 1
    said = words(figure)
    for text in ("Seen", "Truth", "FERNN-$V_{1}^{T}$", "$t=1$", f"$t={SEEN + PREDICTED}$", "abs. error", "scale quick"):
        assert text in said


def test_rollouts(params, layout):
    selections = of(params, layout, "V2T")
    figure = rollouts(params, layout, selections)
    (axes,) = figure.axes  # no scale of an error
    images = [image.get_array() for image in axes.images]
    assert LENGTH == 9  # so every second of them is shown
    samples = load_file(layout.evaluation(selections[-1].runs[0].id, "samples.safetensors"))
    assert len(images) == 4 * 4
    for image, step in zip(images[:4], (2, 4, 6, 8), strict=True):
        np.testing.assert_array_equal(image, samples["length.truth"][0, step - 1, 0])
    for image, step in zip(images[-4:], (2, 4, 6, 8), strict=True):
        np.testing.assert_array_equal(image, samples["length.prediction"][0, step - 1, 0])
    said = words(figure)
    for text in ("Truth", "FERNN-$V_{2}^{T}$", "step 2 step 4 step 6 step 8", f"trained on {PREDICTED} steps"):
        assert text in said


def test_moving_forecasts():
    frames = np.random.default_rng(0).random((5, 4, 4), np.float32)
    forecasts = {"G-RNN": 1 - frames[2:], "FERNN-V2T": frames[2:] / 2}
    figures = moving_forecasts(frames, forecasts)
    for time, (figure, label) in enumerate(
        zip(figures, ["input\n1 of 2", "input\n2 of 2", *(f"forecast\n{step} of 3" for step in (1, 2, 3))], strict=True)
    ):
        truth, *others = (image.get_array() for image in figure.axes[0].images)
        np.testing.assert_array_equal(truth, frames[time])
        for found, forecast in zip(others, forecasts.values(), strict=True):
            np.testing.assert_array_equal(found, frames[time] if time < 2 else forecast[time - 2])
        assert {label, "truth", "G-RNN", "FERNN-$V_{2}^{T}$"} == {text.get_text() for text in figure.axes[0].texts}


def test_a_model_with_another_sequence_has_its_own_truth(params, layout):
    selections = of(params, layout, "V2T")
    path = layout.evaluation(selections[1].runs[0].id, "samples.safetensors")
    save_file({name: np.ascontiguousarray(array[..., ::-1]) for name, array in load_file(path).items()}, path)
    figure = predictions(params, layout, selections)
    assert len(figure.axes[0].images) == 3 * SEEN + PREDICTED * (3 + 2 * 3)


def test_a_model_of_ones_own_has_a_colour(tmp_path):
    models = {name: {"flow": "V3T", "learning_rate": 1e-4} for name in ("mine", "other")}
    runs = [{"flow": "V2T", "models": ["mine", "other"], "evaluate": ["length"]}]
    params, layout = small_params(runs=runs, models=models), Layout("quick", tmp_path)
    write_trivial(layout, params)
    for run in all_runs(params).values():
        write_run(layout, params, run, (3, 2, 1))
    (axes,) = length_generalization(params, layout, select(params, layout)).axes
    colours = {line.get_color() for line in curves(axes).values()}
    assert len(colours) == 2
    assert not colours & {colour for colour, _ in LINES.values()}


def cell(k: int) -> FERNNCell:
    torch.manual_seed(0)
    return FERNNCell(Translation(k), hidden_channels=4)


@pytest.mark.parametrize("k", [0, 2])
def test_they_are_those_of_a_still_input(k: int) -> None:
    """By flow equivariance: moved back, h_t(nu) of an input that moves by nu is h_t(0) of the one that does not."""
    nu, still = (2, -1), torch.rand(1, 9, 11).expand(6, 1, 9, 11)
    moving = torch.stack([frame.roll((t * nu[1], t * nu[0]), (-2, -1)) for t, frame in enumerate(still)])
    same = np.allclose(_states(cell(k), moving, nu), _states(cell(k), still, (0, 0)), atol=1e-6)
    assert same == (k == 2)


def test_pictures_of_each_time_and_the_file_that_shows_them_in_turn(params: Params, layout: Layout) -> None:
    shown = [each for each in select(params, layout) if each.flow == "V1T"]
    with matplotlib.style.context(STYLE, after_reset=True):
        figures = moving_states(params, layout, shown)
        assert len(figures) == SEEN + PREDICTED
        still = hidden_states(params, layout, shown)
        path = layout.base / "moving.png"
        save_moving(figures, path)
    assert [axes.get_title() for axes in still.axes[:7]][-1] == "mean over $t$"
    assert len(still.axes) == 7 * (1 + len(shown))
    with Image.open(path) as moving:
        assert (moving.n_frames, moving.info["duration"], moving.info["loop"]) == (len(figures), 500, 0)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(58, 183, [60, 70, 80, 90, 100]), (2, 600, [2, 5, 10, 20, 50, 100, 200, 500]), (0.2, 9e4, [1, 10, 100, 1e3, 1e4])],
)
def test_a_bar_of_colours_has_round_numbers(low: float, high: float, expected: list[float]) -> None:
    assert _ticks(low, high) == pytest.approx(expected)
