import pytest
import torch
from torch import Tensor, nn

from fernn.evaluation.recognition import measure_recognition

# by clip: the action, and the logits of three actions; the third is never taken, the last clip is a tie
ACTIONS = ("walking", "running", "boxing")
LABELS = [0, 0, 1, 1, 2, 0]
LOGITS = [[2.0, 1.0, 0.0], [0.0, 1.0, 0.5], [0.0, 3.0, 1.0], [4.0, 0.0, 1.0], [0.0, 1.0, 0.9], [1.0, 1.0, 0.0]]


class Told(nn.Module):
    """Gives the logits that its clips hold."""

    def forward(self, clips: Tensor) -> Tensor:
        return clips


def clips(first: int, count: int) -> tuple[Tensor, Tensor]:
    assert count > 0
    assert first + count <= len(LABELS), "asked for clips that there are not"
    return torch.tensor(LOGITS)[first : first + count], torch.tensor(LABELS)[first : first + count]


def counts(found: dict) -> list[list[int]]:
    return [[found["confusion", f"{action} {taken}"] for taken in ACTIONS] for action in ACTIONS]


@pytest.mark.parametrize("batch", [1, 2, 4, 6, 100])
def test_known_clips(batch):
    found = measure_recognition(Told(), clips, len(LABELS), batch, ACTIONS)
    assert counts(found) == [[2, 1, 0], [1, 1, 0], [0, 1, 0]]  # rows: the action; columns: what it is taken for
    shares = [
        torch.tensor(logits, dtype=torch.float64).softmax(0)[label]
        for logits, label in zip(LOGITS, LABELS, strict=True)
    ]
    assert found["loss", ""] == pytest.approx(-torch.stack(shares).log().mean().item())
    assert (found["clips", ""], found["accuracy", ""], found["accuracy", "1"]) == (6, 3 / 6, 3 / 6)


def test_a_draw_is_a_run_of_clips_one_after_the_other():
    found = measure_recognition(Told(), clips, len(LABELS), 4, ACTIONS, draws=2)
    assert [found["accuracy", index] for index in ("1", "2", "")] == pytest.approx([2 / 3, 1 / 3, 1 / 2])
    found = measure_recognition(Told(), clips, len(LABELS), 4, ACTIONS, draws=3)
    assert [found["accuracy", index] for index in ("1", "2", "3")] == [0.5, 0.5, 0.5]


def test_logits_in_bf16():
    found = measure_recognition(lambda shown: shown.bfloat16(), clips, len(LABELS), 4, ACTIONS)
    assert counts(found) == [[2, 1, 0], [1, 1, 0], [0, 1, 0]]
