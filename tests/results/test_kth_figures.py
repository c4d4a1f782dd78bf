import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex
from safetensors.numpy import load_file, save_file

from fernn.experiments.kth.figures import confusion, figure5, validation_accuracy
from fernn.experiments.kth.shown_clips import clips
from fernn.layout import Layout
from fernn.results.figures.style import LINES
from tests.results.kth_tree import EACH, INSIDE, RIGHT, kth_params, write_kth
from tests.results.made import figure_names, select, write_figures

WARNING = "Drawn stand-in videos, not KTH"
MODELS = ["3D-CNN", "G-RNN", "G-RNN+", "FERNN-V1T", "FERNN-V2T"]


@pytest.fixture
def params():
    return kth_params()


@pytest.fixture
def layout(tmp_path, params):
    layout = Layout("quick", tmp_path)
    write_kth(layout, params)
    return layout


def of(params, layout, *flows):
    return [selection for selection in select(params, layout) if selection.flow in flows]


def words(figure):
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text) if text.get_text()]


def stems(params):
    return [name.removesuffix(".png") for name in figure_names(params) if name.endswith(".png")]


def test_the_names_follow_from_the_params(params):
    kinds = ("validation_accuracy", "training", "confusion", "clips")
    assert stems(params) == [*(f"kth-{flow}-{kind}" for flow in ("V2T", "V0T", "V1T") for kind in kinds), "kth-figure5"]
    alone = kth_params(runs=[{"flow": "V1T", "models": ["G-RNN"], "evaluate": ["V2T"]}])
    assert stems(alone) == ["kth-V1T-validation_accuracy", "kth-V1T-training", "kth-V1T-clips", "kth-figure5"]
    # a test on the flow of training alone is no matter of Figure 5
    alone = kth_params(runs=[{"flow": "V1T", "models": ["G-RNN"], "evaluate": ["V1T"]}])
    assert stems(alone) == [f"kth-V1T-{kind}" for kind in kinds]


def test_the_same_inputs_give_the_same_bytes(tmp_path):
    runs = [{"flow": "V1T", "models": ["G-RNN", "FERNN-V2T"], "evaluate": ["V0T", "V1T"]}]
    params, contents = kth_params(runs=runs), []
    for place in ("one", "two"):
        layout = Layout("quick", tmp_path / place)
        write_kth(layout, params)
        paths = write_figures(params, layout)
        assert paths == [layout.figure(name) for name in figure_names(params)]
        contents.append([path.read_bytes() for path in paths])
    assert contents[0] == contents[1]


@pytest.mark.parametrize("draw", [validation_accuracy, confusion, clips, figure5])
def test_stand_ins_are_named_and_the_originals_are_not(params, layout, tmp_path, draw):
    assert any(WARNING in text for text in words(draw(params, layout, of(params, layout, "V1T"))))
    original = Layout("quick", tmp_path / "original")
    write_kth(original, params, stand_in=False)
    said = words(draw(params, original, of(params, original, "V1T")))
    assert not any("stand-in" in text.lower() for text in said)
    assert any("scale quick" in text for text in said)


def test_validation_accuracy(params, layout):
    (axes,) = validation_accuracy(params, layout, of(params, layout, "V2T")).axes
    found = {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}
    assert list(found) == [*MODELS[:3], "FERNN-$V_{1}^{T}$", "FERNN-$V_{2}^{T}$", "chance"]
    best = (RIGHT["G-RNN"] + 0.5) / EACH
    np.testing.assert_allclose(found["G-RNN"].get_ydata(), [INSIDE, 0.3, best, best, 0.2])
    assert set(found["chance"].get_ydata()) == {1 / 6}


def test_figure_5(params, layout):
    figure = figure5(params, layout, of(params, layout, "V0T", "V1T"))
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == [f"trained $V_{{{a}}}^{{T}}$, tested $V_{{{b}}}^{{T}}$" for a in (0, 1) for b in (0, 1, 2)]
    for axes, same in zip(figure.axes, [True, False, False, False, True, False], strict=True):
        seeds = np.array([[RIGHT[model], RIGHT[model] + 1] for model in MODELS]) / EACH - (0 if same else 1 / EACH)
        np.testing.assert_allclose([bar.get_height() for bar in axes.patches], seeds.mean(1))
        colours = [to_hex(bar.get_facecolor()).upper() for bar in axes.patches]
        assert colours == [LINES[model][0] for model in MODELS]
        dots = [line for line in axes.lines if line.get_marker() == "o"]
        np.testing.assert_allclose([dot.get_ydata() for dot in dots], seeds)
        ends = [bars.get_segments()[0][:, 1] for bars in axes.collections]
        deviation = seeds.std(1, ddof=1)
        np.testing.assert_allclose(ends, np.stack([seeds.mean(1) - deviation, seeds.mean(1) + deviation], 1))
        assert [line for line in axes.lines if set(line.get_ydata()) == {1 / 6}]
    named = [label.get_text() for label in figure.axes[-1].get_xticklabels()]
    assert named == [*MODELS[:3], "FERNN-$V_{1}^{T}$", "FERNN-$V_{2}^{T}$"]


def test_a_pair_of_flows_that_is_not_asked_for_has_no_panel(tmp_path):
    runs = [
        {"flow": "V0T", "models": ["G-RNN"], "evaluate": ["V0T", "V2T"]},
        {"flow": "V1T", "models": ["G-RNN", "FERNN-V2T"], "evaluate": ["V0T", "V1T"]},
    ]
    params, layout = kth_params(runs=runs, seeds=[0]), Layout("quick", tmp_path)
    write_kth(layout, params)
    figure = figure5(params, layout, select(params, layout))
    assert [axes.get_visible() for axes in figure.axes] == [True, False, True, True, True, False]
    assert [len(axes.patches) for axes in figure.axes] == [1, 0, 1, 2, 2, 0]
    assert not any(axes.collections for axes in figure.axes)  # one seed has no deviation
    lowest = figure.axes[2]  # in its column, so it is the one that names the models
    assert "G-RNN" in [label.get_text() for label in lowest.get_xticklabels()]


def test_confusion(params, layout):
    figure = confusion(params, layout, of(params, layout, "V2T"))
    panels = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in panels][:2] == ["3D-CNN (52.5%)", "G-RNN (62.5%)"]
    percent = panels[1].images[0].get_array()
    np.testing.assert_allclose(percent, 62.5 * np.eye(6) + 37.5 * np.eye(6)[[1, 0, 0, 0, 0, 0]])
    # who claps is taken for a walker: a row of the truth, a column of what was named
    written = {text.get_position(): text.get_text() for text in panels[1].texts}
    assert written[0, 5] == "38"
    assert (5, 0) not in written
    assert [label.get_text() for label in panels[0].get_yticklabels()][:2] == ["walking", "jogging"]
    assert [axes.get_xlabel() for axes in panels] == ["Named action"] * 3 + [""] * 2


def test_clips(params, layout):
    figure = clips(params, layout, of(params, layout, "V2T"))
    (axes,) = figure.axes
    assert len(axes.images) == 6 * 8
    shown = load_file(next(layout.base.rglob("samples.safetensors")))["clip"]
    np.testing.assert_array_equal(axes.images[-1].get_array(), shown[5, 15, 0])
    said = words(figure)
    # true and named by five models; two FERNNs name handclapping, the others say walking
    assert [said.count(action) for action in ("walking", "jogging", "handclapping")] == [6 + 3, 6, 1 + 2]
    wrong = [text for text in axes.texts if text.get_weight() == "bold"]
    assert [text.get_text() for text in wrong] == ["walking"] * 3


def test_a_model_with_other_clips_has_its_own_rows(params, layout):
    selections = of(params, layout, "V2T")
    path = layout.evaluation(selections[1].runs[0].id, "samples.safetensors")
    arrays = load_file(path)
    save_file(arrays | {"clip": np.ascontiguousarray(arrays["clip"][..., ::-1])}, path)
    assert [len(axes.images) for axes in clips(params, layout, selections).axes] == [6 * 8, 6 * 8]
