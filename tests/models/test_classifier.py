"""The recognition networks equal the paper's equations, computed step by step in the lab frame."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fernn.flows.translation import Translation
from fernn.models import CNN3D, GRNNPlusClassifier
from fernn.models.precision import autocast
from tests.closeness import DTYPES, assert_close, relative_error
from tests.models.random_classifiers import random_classifier, random_clips, states_of
from tests.reference.kth import PlainClassifier

KINDS = [("fernn", 0), ("fernn", 1), ("fernn", 2), ("grnn+", 0), ("grnn+", 1), ("grnn+", 2)]
kinds = pytest.mark.parametrize(("kind", "k"), KINDS)
lengths = pytest.mark.parametrize("frames", [1, 2, 3, 6])


def theirs_by_our_names(plain: PlainClassifier) -> dict[str, nn.Parameter]:
    """Parameters of the plain network; its stem is a sequence of convolution, norm, activation."""
    named = {}
    for name, weight in plain.named_parameters():
        if name.startswith("stem."):
            _, number, last = name.split(".")
            layer, kind = divmod(int(number), 3)
            name = f"stem.{('convolutions', 'norms')[kind]}.{layer}.{last}"
        named[name] = weight
    return named


@kinds
@lengths
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
def test_logits(kind, k, frames, training, dtype):
    model = random_classifier(kind, k, dtype).train(training)
    plain, clips = PlainClassifier(model), random_clips(frames, dtype)
    found, expected = model(clips), plain(clips)
    assert found.dtype == dtype
    assert_close(found, expected, "logits")
    for ours, theirs in zip(model.stem.norms, plain.stem[1::3], strict=True):
        assert_close(ours.running_mean, theirs.running_mean, "running mean")
        assert_close(ours.running_var, theirs.running_var, "running variance")
        assert ours.num_batches_tracked == theirs.num_batches_tracked == (frames if training else 0)
    with torch.no_grad():
        assert_close(model(clips), plain(clips), "logits without gradients")


@kinds
@lengths
@pytest.mark.parametrize("training", [True, False])
def test_gradients(kind, k, frames, training):
    """In float64, where no rounding can change the winner of the max."""
    model = random_classifier(kind, k).train(training)
    plain, label = PlainClassifier(model), torch.tensor([0, 4, 2])
    ours, theirs = (random_clips(frames).requires_grad_() for _ in range(2))
    F.cross_entropy(model(ours), label).backward()
    F.cross_entropy(plain(theirs), label).backward()
    assert_close(ours.grad, theirs.grad, "gradient of the clips")
    expected = theirs_by_our_names(plain)
    assert expected.keys() == dict(model.named_parameters()).keys()
    for name, weight in model.named_parameters():
        if frames == 1 and name in ("W.weight", "kernels"):  # h_0 = 0: they play no part
            assert weight.grad is None
            assert not expected[name].grad.any()
        else:
            assert_close(weight.grad, expected[name].grad, f"gradient of {name}")


@pytest.mark.parametrize("k", [0, 1, 2])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
def test_hidden_states(k, training, dtype):
    model, clips = random_classifier("fernn", k, dtype).train(training), random_clips(6, dtype)
    _, expected = PlainClassifier(model)(clips, return_states=True)
    found = torch.stack(states_of(lambda: model(clips)), 1)
    assert_close(found, expected, "hidden states")


@pytest.mark.parametrize("k", [0, 1, 2])
def test_grnn_plus_with_kernels_that_shift_is_the_fernn(k):
    fernn, plus, clips = random_classifier("fernn", k), random_classifier("grnn+", k), random_clips(5)
    plus.load_state_dict({**fernn.state_dict(), "kernels": torch.zeros_like(plus.kernels)})
    with torch.no_grad():
        for kernel, (vx, vy) in zip(plus.kernels, Translation(k).generators, strict=True):
            kernel[0, k - vy, k - vx] = 1  # (psi_1(nu).f)(p) = f(p - nu)
    assert_close(plus(clips), fernn(clips), "logits")


def test_grnn_plus_starts_with_kernels_of_the_norm_of_a_shift():
    """The kernel of a shift has norm 1; of the drawn ones, the squared norm is 1 on average, for every generator."""
    torch.manual_seed(0)
    draws = [GRNNPlusClassifier("V2T", stem_channels=[2], stem_kernels=[1]).kernels for _ in range(400)]
    kernels = torch.stack(draws).detach()
    assert kernels.shape[1:] == (25, 1, 5, 5)
    assert kernels.square().sum((-2, -1)).mean(0).sub(1).abs().max() < 4 * (2 / 25 / 400) ** 0.5  # standard deviations
    assert kernels.mean().abs() < 4 / 5 / kernels.numel() ** 0.5


@pytest.mark.parametrize(("kind", "k"), [("fernn", 2), ("grnn+", 1)])
def test_bf16_stays_near_float32(kind, k):
    model = random_classifier(kind, k, torch.float32, stem_channels=[8, 16]).eval()
    clips = random_clips(4, torch.float32)
    expected = PlainClassifier(model)(clips)
    with autocast(torch.device("cpu"), "bf16"):
        found = model(clips)
    assert relative_error(found, expected) < 3e-2
    F.cross_entropy(found.float(), torch.tensor([0, 4, 2])).backward()
    assert all(weight.grad.dtype == torch.float32 for weight in model.parameters())


def test_3dcnn_looks_at_time():
    """Its first block halves the frames, the second and fourth halve each side; the order of frames plays a part."""
    model, clips = CNN3D(base=2).double(), torch.randn(2, 6, 1, 8, 8, dtype=torch.float64)
    sizes: list[torch.Size] = []
    for block in model.blocks:
        block.register_forward_hook(lambda _module, _inputs, output: sizes.append(output.shape[1:]))
    assert model(clips).shape == (2, 6)
    assert sizes == [(2, 3, 8, 8), (4, 3, 4, 4), (4, 3, 4, 4), (8, 3, 2, 2), (8, 3, 2, 2)]
    model.eval()
    assert relative_error(model(clips.flip(1)), model(clips)) > 1e-3
