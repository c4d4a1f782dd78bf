"""The error that the claim of exact equivariance is judged by: none for a FERNN, and seen where there is one."""

import pytest
import torch

from fernn.evaluation.equivariance import equivariance_error, random_equivariance_error
from fernn.flows.translation import Translation
from fernn.models.cell import FERNNCell


@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_a_fernn_is_exact_up_to_rounding(k, kernel):
    assert random_equivariance_error(Translation(k), kernel) < 1e-14


def test_the_grnn_is_not():
    assert random_equivariance_error(Translation(0), 3) > 0.1


def test_it_is_the_same_each_time_and_leaves_torch_as_it_was():
    torch.manual_seed(5)
    expected, threads = torch.rand(3), torch.get_num_threads()
    torch.manual_seed(5)
    random_equivariance_error.cache_clear()
    first = random_equivariance_error(Translation(2), 3)
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads
    random_equivariance_error.cache_clear()
    assert random_equivariance_error(Translation(2), 3) == first


class Mirrored(FERNNCell):
    """It mirrors each frame, which does not commute with a move to the right."""

    def forward(self, frame, state=None):
        return super().forward(frame.flip(-1), state)


def test_it_sees_a_cell_that_breaks_the_rule():
    torch.manual_seed(0)
    frames = torch.randn(1, 4, 1, 6, 6, dtype=torch.float64)
    good = FERNNCell(Translation(1), hidden_channels=4).double()
    bad = Mirrored(Translation(1), hidden_channels=4).double()
    bad.load_state_dict(good.state_dict())
    assert equivariance_error(good, frames, (1, 0)) < 1e-14
    assert equivariance_error(bad, frames, (1, 0)) > 0.1
    assert equivariance_error(bad, frames, (0, 1)) < 1e-14  # it does commute with one downwards
