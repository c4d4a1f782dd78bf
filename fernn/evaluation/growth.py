"""How fast a predictor's hidden state grows by itself: what decides whether a long rollout lasts.

A cell with ReLU and a decoder have no bias, so a step is positively homogeneous: twice the state and frame give twice
the next ones. No amplitude is preferred. Without new frames the state grows or shrinks by one factor at each step once
its dominant pattern has taken over, and a rollout stays flat only if that factor is 1. Repeating the step is a power
iteration, so the factor can be read from the norms of a long rollout.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from fernn.models.seq2seq import Seq2Seq


@torch.no_grad()
def recurrence_growth(model: Seq2Seq, frames: Tensor, steps: int = 300) -> float:
    """The growth factor of the recurrence h -> act(W * psi_1(nu).h) alone: the model sees black frames.

    It does not depend on the generators, and is computed fastest with one: `model.with_flow("V0T")`.

    Args:
        model: a predictor with ReLU, best in float64: norms may grow by many orders of magnitude.
        frames: frames (B, T, C, H, W) that fill the state at the start.
        steps: number of steps; the last third of them is measured.

    Returns:
        The factor per step, the geometric mean over sequences and over the steps measured; 0 if a state vanishes.
    """
    return _growth(model, frames, steps, lambda _: torch.zeros_like(frames[:, 0]))


@torch.no_grad()
def rollout_growth(model: Seq2Seq, frames: Tensor, steps: int = 300) -> float:
    """The growth factor of the hidden state in a rollout, in which the decoder's prediction is the next frame.

    Arguments and result are those of `recurrence_growth`; the steps are the predicted ones.
    """
    return _growth(model, frames, steps, model.decoder)


def _growth(model: Seq2Seq, frames: Tensor, steps: int, next_frame: Callable[[Tensor], Tensor]) -> float:
    """Growth per step of the maximum over V of the hidden state, over the last third of the steps."""
    state, norms = None, []
    for frame in frames.unbind(1):
        state = model.cell(frame, state)
    for _ in range(steps):
        state = model.cell(frame, state)
        norms.append(state.max().flatten(1).norm(dim=1))
        frame = next_frame(state.max())
    window = steps // 3
    return ((norms[-1] / norms[-1 - window]).log().mean() / window).exp().nan_to_num().item()
