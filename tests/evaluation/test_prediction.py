import pytest
import torch
from torch import Tensor, nn

from fernn.evaluation.prediction import LARGEST, step_errors

SEQUENCES, SEEN, STEPS, SIDE = 5, 2, 3, 6
CLIPS = torch.rand(SEQUENCES, SEEN + STEPS, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


class Black(nn.Module):
    """Predicts nothing at all."""

    def forward(self, seen: Tensor, steps: int) -> Tensor:
        return torch.zeros(len(seen), steps, *seen.shape[2:])


@pytest.mark.parametrize("batch", [1, 2, 5, 9])
def test_errors_by_step_and_in_the_middle(batch):
    found = step_errors(Black(), lambda first, count: CLIPS[first : first + count], SEQUENCES, batch, SEEN, central=2)
    errors = CLIPS[:, SEEN:].double().square().mean((2, 3, 4))
    assert found.mean == pytest.approx(errors.mean(0).tolist())
    assert found.std == pytest.approx(errors.std(0, correction=0).tolist())
    assert found.mse == pytest.approx(errors.mean().item())
    assert found.central == pytest.approx(CLIPS[:, SEEN:, :, 2:4, 2:4].double().square().mean().item())


class Growing(Black):
    """Of sequences whose first pixel is bright, forecasts that grow by ten orders of magnitude at each step."""

    def forward(self, seen: Tensor, steps: int) -> Tensor:
        grown = torch.tensor([1e10, 1e20, torch.inf])[:, None, None, None]
        return torch.where(seen[:, -1:, :1, :1, :1] > 0.5, grown, super().forward(seen, steps))


def test_what_float32_cannot_hold_is_its_largest():
    clips = CLIPS.clone()
    clips[:, SEEN - 1, 0, 0, 0] = torch.tensor([0.0, 1.0, 0.0, 0.0, 1.0])
    found = step_errors(Growing(), lambda first, count: clips[first : first + count], SEQUENCES, 2, SEEN, central=2)
    assert found.mean == pytest.approx([2 / 5 * 1e20, 2 / 5 * LARGEST, 2 / 5 * LARGEST])
    assert found.central == pytest.approx(2 / 5 * LARGEST)
    assert found.lost == 2
    clips[:, SEEN - 1, 0, 0, 0] = 0
    assert step_errors(Growing(), lambda first, count: clips[first : first + count], SEQUENCES, 5, SEEN).lost is None


def test_a_frame_that_is_not_larger_has_no_middle():
    assert step_errors(Black(), lambda first, count: CLIPS[first : first + count], SEQUENCES, 5, SEEN).central is None
