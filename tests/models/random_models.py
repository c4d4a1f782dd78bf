"""Random models and inputs of random small sizes."""

from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from torch import Tensor

from fernn.models import FERNNPredictor


@dataclass(frozen=True)
class Problem:
    """A predictor's sizes, an input's sizes, and the seed of both."""

    k: int
    kernel: int
    height: int
    width: int
    batch: int
    channels: int
    hidden: int
    layers: int
    seen: int
    steps: int
    seed: int

    def model(self, dtype: torch.dtype, k: int | None = None) -> FERNNPredictor:
        torch.manual_seed(self.seed)
        flow = f"V{self.k if k is None else k}T"
        return FERNNPredictor(flow, self.channels, self.hidden, self.kernel, self.layers).to(dtype)

    def frames(self, dtype: torch.dtype) -> Tensor:
        generator = torch.Generator().manual_seed(self.seed + 1)
        shape = self.batch, self.seen, self.channels, self.height, self.width
        return torch.randn(shape, dtype=torch.float64, generator=generator).to(dtype)


def problems(k=(0, 1, 2), kernel=(1, 3, 5), sides=(2, 7), seen=(1, 3), steps=(0, 3)) -> st.SearchStrategy[Problem]:
    return st.builds(
        Problem,
        k=st.sampled_from(k),
        kernel=st.sampled_from(kernel),
        height=st.integers(*sides),
        width=st.integers(*sides),
        batch=st.integers(1, 2),
        channels=st.integers(1, 2),
        hidden=st.integers(1, 4),
        layers=st.integers(0, 2),
        seen=st.integers(*seen),
        steps=st.integers(*steps),
        seed=st.integers(0, 2**31),
    )
