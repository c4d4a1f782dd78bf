"""All frames at once is frame by frame: with PyTorch's own batch norm, called step by step."""

import pytest
import torch
from torch import Tensor, nn

from fernn.models.classifier import Stem, StepBatchNorm
from tests.closeness import DTYPES, assert_close

BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


def pair(dtype: torch.dtype, **arguments) -> tuple[StepBatchNorm, nn.BatchNorm2d]:
    """Two norms with the same weights and statistics."""
    torch.manual_seed(0)
    ours, theirs = StepBatchNorm(4, **arguments).to(dtype), nn.BatchNorm2d(4, **arguments).to(dtype)
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


@pytest.mark.parametrize("arguments", [{"momentum": 0.3}, {"eps": 0.1}])
def test_other_settings_of_the_norm(arguments):
    ours, theirs = pair(torch.float64, **arguments)
    frames = frames_of(3, torch.float64)
    assert_close(ours(frames), step_by_step(theirs, frames), "normalized frames")
    assert_same_statistics(ours, theirs)


def test_a_step_is_normalized_by_itself():
    """One batch norm over all steps would see other statistics: here every step has a mean of zero by itself."""
    norm, frames = StepBatchNorm(4).double(), frames_of(3, torch.float64)
    assert norm(frames).mean((0, 3, 4)).abs().max() < 1e-12
    whole = nn.BatchNorm2d(4).double()(frames.flatten(0, 1)).view_as(frames)
    assert whole.mean((0, 3, 4)).abs().max() > 0.1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("training", [True, False])
def test_stem(training, dtype):
    torch.manual_seed(0)
    stem = Stem(2, [3, 5, 4], [5, 3, 1]).to(dtype).train(training)
    layers: list[nn.Module] = []
    for convolution, norm in zip(stem.convolutions, stem.norms, strict=True):
        assert convolution.bias is None
        plain = nn.BatchNorm2d(norm.num_features).to(dtype)
        layers += [convolution, plain, nn.ReLU()]
    theirs = nn.Sequential(*layers).train(training)
    frames = torch.randn(2, 4, 2, 7, 6, dtype=dtype)
    found = stem(frames)
    assert found.shape == (2, 4, 4, 7, 6)
    assert_close(found, step_by_step(theirs, frames), "drives")
    for ours, plain in zip(stem.norms, theirs[1::3], strict=True):
        assert_same_statistics(ours, plain)
