"""All frames at once is frame by frame: with PyTorch's own batch norm, called step by step."""

import pytest
import torch
from torch import Tensor, nn

from fernn.models.classifier import StepBatchNorm
from tests.closeness import DTYPES, assert_close

BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


def pair(dtype: torch.dtype) -> tuple[StepBatchNorm, nn.BatchNorm2d]:
    """Two norms with the same weights and statistics."""
    torch.manual_seed(0)
    ours, theirs = StepBatchNorm(4).to(dtype), nn.BatchNorm2d(4).to(dtype)
    with torch.no_grad():
        ours.weight.normal_()
        ours.bias.normal_()
        ours.running_mean.normal_()
        ours.running_var.uniform_(0.5, 2)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def frames_of(steps: int, dtype: torch.dtype, layout: torch.memory_format = torch.contiguous_format) -> Tensor:
    """(2, steps, 4, 5, 3): each step with a mean and a spread of its own, each frame in the layout."""
    generator = torch.Generator().manual_seed(steps)
    frames = torch.randn(2, steps, 4, 5, 3, dtype=torch.float64, generator=generator)
    scale = torch.arange(1, steps + 1).view(1, -1, 1, 1, 1)
    frames = (frames * scale - scale).to(dtype)
    return frames.flatten(0, 1).contiguous(memory_format=layout).unflatten(0, (2, steps)).requires_grad_()


def step_by_step(module: nn.Module, frames: Tensor) -> Tensor:
    return torch.stack([module(frame) for frame in frames.unbind(1)], 1)


def assert_same_statistics(ours: nn.Module, theirs: nn.Module) -> None:
    for name in BUFFERS:
        found, expected = getattr(ours, name), getattr(theirs, name)
        if name == "num_batches_tracked":
            assert found == expected
        else:
            assert_close(found, expected, name)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_norm(steps, training, dtype, layout):
    ours, theirs = (norm.train(training) for norm in pair(dtype))
    one, two = frames_of(steps, dtype, layout), frames_of(steps, dtype, layout)
    for _ in range(2):  # running averages go on from where they are
        found, expected = ours(one), step_by_step(theirs, two)
        assert_close(found, expected, "normalized frames")
        assert_same_statistics(ours, theirs)
    assert ours.num_batches_tracked == (2 * steps if training else 0)
    weigh = torch.randn_like(expected)
    (found * weigh).sum().backward()
    (expected * weigh).sum().backward()
    assert_close(one.grad, two.grad, "gradient of the frames")
    assert_close(ours.weight.grad, theirs.weight.grad, "gradient of the scale")
    assert_close(ours.bias.grad, theirs.bias.grad, "gradient of the offset")
