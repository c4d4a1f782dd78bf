"""That what is made once serves everybody: in training, in inference and while torch traces a program."""

import pytest
import torch
from torch import nn

from fernn.flows import Rotation, Translation
from fernn.flows.base import kept
from fernn.flows.rotation import rotate


def test_it_is_made_once():
    calls = []

    @kept(2)
    def made(number: int):
        calls.append(number)
        return torch.zeros(number)

    assert made(1) is made(1)
    assert made(2) is not made(1)
    made(3)  # in place of 2, which was asked for less lately
    assert made(1) is made(1)
    made(2)
    assert calls == [1, 2, 3, 2]


class Twice(nn.Module):
    """Sizes that no other test has, so that nothing is made yet."""

    def __init__(self, flow, side):
        super().__init__()
        self.flow, self.side = flow, side

    def forward(self, maps):
        return self.flow.move(maps, 1) * 2


@pytest.mark.parametrize(("flow", "side"), [(Translation(1), 13), (Rotation(1, 30), 17)], ids=lambda each: str(each))
def test_what_a_traced_program_makes_is_not_kept(flow, side):
    maps = torch.randn(1, len(flow), 2, side, side)
    program = torch.export.export(Twice(flow, side), (maps,)).module()
    moved = flow.move(maps, 1)
    assert type(moved) is torch.Tensor
    assert torch.equal(program(maps), moved * 2)
    if isinstance(flow, Rotation):
        assert torch.equal(moved[:, 2], rotate(maps[:, 2], 30))
    again = torch.export.export(Twice(flow, side), (maps,)).module()  # with what is kept by now
    assert torch.equal(again(maps), moved * 2)
