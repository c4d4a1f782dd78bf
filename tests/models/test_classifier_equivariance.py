"""What the paper's claim says about the recognition networks, and where it ends.

Move the drives of the recurrence by psi(nu_hat), so that step t (from 0) moves by t * nu_hat: then h_t(nu) becomes
psi_{t-1}(nu_hat).h_t(nu - nu_hat). Max over V and the average over the map do not change if relabelling permutes V:
on a torus of side 2k+1, where V_k holds every shift. On a larger one some nu - nu_hat fall outside of V.

The stem sees the frames before the recurrence does, and it pads with zeros. So moved clips have moved drives if each
layer of the stem sees one pixel, or if what moves on a black ground stays away from the border.
"""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.closeness import DTYPES, assert_close, relative_error
from tests.models.random_classifiers import random_classifier, random_clips, states_of
from tests.models.test_equivariance import along

SIDE = 24
PIXELWISE = {"stem_kernels": [1, 1]}


def assert_states_are_relabelled(model: nn.Module, clips: Tensor, nu_hat: tuple[int, int]) -> None:
    index = {nu: i for i, nu in enumerate(model.flow.generators)}
    moving = states_of(lambda: model(along(clips, nu_hat)))
    for t, (h, found) in enumerate(zip(states_of(lambda: model(clips)), moving, strict=True), 1):
        for (vx, vy), i in index.items():
            source = index.get((vx - nu_hat[0], vy - nu_hat[1]))
            if source is not None:
                expected = torch.roll(h[:, source], ((t - 1) * nu_hat[1], (t - 1) * nu_hat[0]), (-2, -1))
                assert_close(found[:, i], expected, f"h_{t}({vx}, {vy}) of clips moved by {nu_hat}")


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
@given(k=st.sampled_from([1, 2]), frames=st.integers(1, 5), data=st.data())
def test_logits_do_not_change_where_v_is_a_group(training, dtype, k, frames, data):
    side = 2 * k + 1
    nu_hat = data.draw(st.tuples(st.integers(-side, side), st.integers(-side, side)))
    model = random_classifier("fernn", k, dtype, **PIXELWISE).train(training)
    clips = random_clips(frames, dtype, (side, side))
    assert_close(model(along(clips, nu_hat)), model(clips), f"logits of clips moved by {nu_hat}")


@pytest.mark.parametrize("kind", ["fernn", "grnn+"])
@pytest.mark.parametrize("nu_hat", [(1, 0), (0, -1), (2, 1)])
def test_networks_without_these_shifts_violate_it(kind, nu_hat):
    """The G-RNN, and the G-RNN+, whose kernels are no shifts."""
    model = random_classifier(kind, 0 if kind == "fernn" else 1, **PIXELWISE).eval()
    clips = random_clips(4, side=(3, 3))
    assert relative_error(model(along(clips, nu_hat)), model(clips)) > 1e-3


@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("nu_hat", [(1, 0), (-1, 1), (2, -2)])
def test_states_are_relabelled_where_v_is_cut_off_and_logits_feel_the_cut(k, nu_hat):
    model, clips = random_classifier("fernn", k, **PIXELWISE).eval(), random_clips(4, side=(8, 9))
    assert_states_are_relabelled(model, clips, nu_hat)
    assert relative_error(model(along(clips, nu_hat)), model(clips)) > 1e-3


def figure(ground: float = 0.0, frames: int = 4) -> Tensor:
    """Noise in the middle of the frame: (2, frames, 1, SIDE, SIDE)."""
    generator = torch.Generator().manual_seed(0)
    clips = torch.full((2, frames, 1, SIDE, SIDE), ground, dtype=torch.float64)
    clips[..., 10:14, 10:14] = torch.rand(2, frames, 1, 4, 4, dtype=torch.float64, generator=generator)
    return clips


def seeing_nothing_in_black(k: int) -> nn.Module:
    """In evaluation, with a stem of 5x5 and 3x3 pixels that leaves black ground black."""
    model = random_classifier("fernn", k, channels=1).eval()
    for norm in model.stem.norms:
        nn.init.zeros_(norm.bias)
        norm.running_mean.zero_()
    return model


@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("nu_hat", [(1, 0), (-1, -1), (2, -1)])
def test_with_the_stem_away_from_the_border(k, nu_hat):
    """In 3 steps of 2 pixels the figure, seen 3 pixels around, comes as near as 1 pixel to the border."""
    model, clips = seeing_nothing_in_black(k), figure()
    assert_states_are_relabelled(model, clips, nu_hat)
    still = torch.roll(clips, nu_hat, (-1, -2))
    assert_close(model(still), model(clips), "logits of shifted clips")


@pytest.mark.parametrize(("shift", "ground"), [(8, 0.0), (12, 0.0), (3, 0.5)], ids=["near", "over", "bright ground"])
def test_with_the_stem_at_the_border(shift, ground):
    model, clips = seeing_nothing_in_black(1), figure(ground)
    assert relative_error(model(torch.roll(clips, shift, -1)), model(clips)) > 1e-4


@given(frames=st.integers(1, 4), shift=st.tuples(st.integers(-7, 7), st.integers(-7, 7)), k=st.integers(0, 2))
def test_static_shifts_change_no_logit(frames, shift, k):
    for kind in ("fernn", "grnn+"):
        model, clips = random_classifier(kind, k, **PIXELWISE), random_clips(frames)
        assert_close(model(torch.roll(clips, shift, (-1, -2))), model(clips), f"{kind}: logits of shifted clips")
