"""Random rotation models and inputs of small sizes."""

from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from torch import Tensor

from fernn.flows.rotation import Rotation
from fernn.models import RotationPredictor


@dataclass(frozen=True)
class Problem:
    """A predictor's sizes, an input's sizes, and the seed of both."""

    k: int
    order: int
    fields: int
    kernel: int
    layers: int
    side: int
    batch: int
    seen: int
    steps: int
    seed: int

    def model(self, dtype: torch.dtype, **changed) -> RotationPredictor:
        torch.manual_seed(self.seed)
        flow = Rotation(changed.pop("k", self.k), 360 / self.order)
        return RotationPredictor(
            flow,
            fields=self.fields,
            group_order=self.order,
            kernel_size=self.kernel,
            decoder_layers=self.layers,
            **changed,
        ).to(dtype)

    def frames(self, dtype: torch.dtype) -> Tensor:
        generator = torch.Generator().manual_seed(self.seed + 1)
        shape = self.batch, self.seen, 1, self.side, self.side
        return torch.randn(shape, dtype=torch.float64, generator=generator).to(dtype)


def problems(k=(0, 1, 2), orders=(4, 5, 8, 12), sides=(3, 7)) -> st.SearchStrategy[Problem]:
    return st.builds(
        Problem,
        k=st.sampled_from(k),
        order=st.sampled_from(orders),
        fields=st.integers(1, 3),
        kernel=st.sampled_from([1, 3, 5]),
        layers=st.integers(0, 2),
        side=st.integers(*sides),
        batch=st.integers(1, 2),
        seen=st.integers(1, 3),
        steps=st.integers(0, 3),
        seed=st.integers(0, 2**31),
    )
