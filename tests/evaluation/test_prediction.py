import pytest
import torch
from torch import Tensor, nn

from fernn.evaluation.prediction import step_errors

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


def test_a_frame_that_is_not_larger_has_no_middle():
    assert step_errors(Black(), lambda first, count: CLIPS[first : first + count], SEQUENCES, 5, SEEN).central is None
