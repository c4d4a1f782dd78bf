"""Hooks, adapters and pruning of any module of a model take effect, as if each convolution were called."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from fernn.flows import Rotation
from fernn.models import FERNNPredictor, RotationCell
from tests.closeness import assert_close
from tests.models.test_use import CELLS, MODELS, frames, run

of = pytest.mark.parametrize
ALL = {**MODELS, "winograd": lambda: FERNNPredictor("V1T", hidden_channels=64, decoder_layers=1)}

CELLS = {**CELLS, "mixing rotation": lambda: RotationCell(Rotation(1, 90), fields=1, order=4, mixing=1)}


class Doubled(nn.Module):
    """An adapter in place of a module, without its attributes."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, *given: Any) -> Tensor:
        return 2 * self.inner(*given)


def double_forward(cell: nn.Module, name: str) -> None:
    module = cell.get_submodule(name)
    before = module.forward
    module.forward = lambda *given: 2 * before(*given)


DOUBLE: dict[str, Callable[[nn.Module, str], Any]] = {
    "forward hook": lambda cell, name: cell.get_submodule(name).register_forward_hook(lambda _m, _given, out: 2 * out),
    "pre-forward hook": lambda cell, name: cell.get_submodule(name).register_forward_pre_hook(
        lambda _m, given: (2 * given[0], *given[1:])
    ),
    "another forward": double_forward,
    "adapter": lambda cell, name: setattr(cell, name, Doubled(cell.get_submodule(name))),
}


def final(cell: nn.Module, precision: torch.dtype = torch.float32) -> Tensor:
    """The maximum over V after four frames: the last two steps are the fast ones."""
    state = None
    for frame in frames(2, 4).to(precision).unbind(1):
        state = cell(frame, state)
    return state.max()


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@of("name", ["U", "W"])
@of("change", DOUBLE)
@of("kind", CELLS)
def test_a_convolution_doubled(kind: str, change: str, name: str) -> None:
    cell, plain = CELLS[kind](), CELLS[kind]()
    plain.load_state_dict(cell.state_dict())
    with torch.no_grad():
        for weights in plain.get_submodule(name).parameters():
            weights *= 2
    DOUBLE[change](cell, name)
    found, expected = final(cell), final(plain)
    assert_close(found, expected, change)
    found.square().sum().backward()
    expected.square().sum().backward()
    for (of_what, own), other in zip(cell.named_parameters(), plain.parameters(), strict=True):
        assert_close(own.grad, other.grad * (2 if f"{name}." in of_what else 1), of_what)


@of("name", ["U", "W"])
@of("tool", ["prune", "weight_norm", "spectral_norm"])
@of("kind", CELLS)
@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated:FutureWarning")
def test_weights_that_a_hook_computes_are_trained(kind: str, tool: str, name: str) -> None:
    cell, plain = CELLS[kind](), CELLS[kind]().double()
    module, weight = cell.get_submodule(name), "weights" if "rotation" in kind else "weight"
    if tool == "prune":
        prune.l1_unstructured(module, weight, 0.5)
    else:
        getattr(nn.utils, tool)(module, weight)
    optimizer = torch.optim.SGD(cell.parameters(), lr=0.01)
    for _ in range(2):
        optimizer.zero_grad()
        final(cell).square().mean().backward()
        assert all(each.grad is not None and each.grad.any() for each in cell.parameters())
        optimizer.step()
    cell.eval().double()
    found = final(cell, torch.float64)
    for own, other in ((cell.U, plain.U), (cell.W, plain.W)):
        with torch.no_grad():
            getattr(other, weight).copy_(getattr(own, weight))
    assert_close(found, final(plain, torch.float64), tool)
    assert (getattr(module, weight) == 0).float().mean() == 0.5 or tool != "prune"


@of("kind", ALL)
def test_each_module_is_seen_by_its_hooks(kind: str) -> None:
    model = ALL[kind]().eval()
    expected, seen = run(model, frames(1, 4), 2), set()
    for module in model.modules():
        module.register_forward_hook(lambda module, _given, _out: seen.add(module))
    assert_close(run(model, frames(1, 4), 2), expected, kind)
    assert seen >= {module for module in model.modules() if not isinstance(module, nn.ModuleList)}
