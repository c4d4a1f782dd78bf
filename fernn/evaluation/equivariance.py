"""How far a flow equivariant cell is from the paper's rule: move the input, and the hidden state moves with it.

Move the input by psi(nu_hat), so that frame f_t becomes psi_t(nu_hat).f_t, t = 0, 1, ... The state after t >= 1 frames
becomes psi_{t-1}(nu_hat).h_t(nu - nu_hat), for nu and nu - nu_hat both in V (paper, Section 4).
"""

from collections.abc import Iterator
from functools import cache

import torch
from torch import Tensor

from fernn.flows.translation import Translation
from fernn.models.cell import FERNNCell

SIDE, CHANNELS, FRAMES, SEED = 7, 8, 5, 0


@cache
def random_equivariance_error(flow: Translation, kernel_size: int) -> float:
    """The largest error of a cell with random weights, over inputs that move by each generator of V_2^T.

    Small maps and few channels: the rule holds for any, and so do its violations. In float64, on one CPU thread, of a
    fixed seed; the random state of torch is left as it was.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the sums of rounding errors are then the same each time
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(SEED)
            cell = FERNNCell(flow, hidden_channels=CHANNELS, kernel_size=kernel_size).double()
            frames = torch.randn(1, FRAMES, 1, SIDE, SIDE, dtype=torch.float64)
            moves = (nu for nu in Translation(2).generators if any(nu))
            return max(equivariance_error(cell, frames, nu_hat) for nu_hat in moves)
    finally:
        torch.set_num_threads(threads)


def equivariance_error(cell: FERNNCell, frames: Tensor, nu_hat: tuple[int, int]) -> float:
    """The largest difference from the rule over all states, relative to the largest value of these.

    Args:
        cell: with its flow V. Where V holds no nu with nu - nu_hat in V too, as V_0 of a G-RNN, its maps are held
            against the moved ones of the same nu: all that it could do.
        frames: (B, T, C, H, W), T at least 2.
        nu_hat: the velocity (vx, vy) that is added to the input, in pixels per frame.
    """
    index = {nu: i for i, nu in enumerate(cell.flow.generators)}
    relabelled = {i: index.get((nu[0] - nu_hat[0], nu[1] - nu_hat[1])) for nu, i in index.items()}
    pairs = {i: j for i, j in relabelled.items() if j is not None} or {i: i for i in index.values()}
    moving = torch.stack([_moved(frame, nu_hat, t) for t, frame in enumerate(frames.unbind(1))], 1)
    worst, largest = 0.0, 0.0
    for t, (still, found) in enumerate(zip(_states(cell, frames), _states(cell, moving), strict=True)):
        expected = _moved(still[:, list(pairs.values())], nu_hat, t)
        worst = max(worst, (found[:, list(pairs)] - expected).abs().max().item())
        largest = max(largest, expected.abs().max().item())
    return worst / largest


def _moved(maps: Tensor, nu: tuple[int, int], time: int) -> Tensor:
    """psi_time(nu) of maps (..., H, W), without the library's own way of moving."""
    return maps.roll((time * nu[1], time * nu[0]), (-2, -1))


def _states(cell: FERNNCell, frames: Tensor) -> Iterator[Tensor]:
    """h_1 ... h_T, each (B, V, C, H, W)."""
    state = None
    for frame in frames.unbind(1):
        state = cell(frame, state)
        yield state.lab()
