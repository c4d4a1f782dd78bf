"""Hidden states as a moving eye sees them: a FERNN's stand still, and a G-RNN's do not."""

import matplotlib.style
import numpy as np
import pytest
import torch
from PIL import Image

from fernn.experiments.translation.figures import _states, _ticks, hidden_states, moving_states
from fernn.flows.translation import Translation
from fernn.layout import Layout
from fernn.models.cell import FERNNCell
from fernn.params import Params
from fernn.results.figures import STYLE, save_moving
from tests.results.made import select
from tests.results.tree import PREDICTED, SEEN


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
