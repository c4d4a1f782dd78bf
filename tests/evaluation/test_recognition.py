import pytest
import torch
from torch import Tensor, nn

from fernn.evaluation.recognition import recognition

# by clip: the action, and the logits of three actions; the third is never taken, the last clip is a tie
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


@pytest.mark.parametrize("batch", [1, 2, 4, 6, 100])
def test_known_clips(batch):
    found = recognition(Told(), clips, len(LABELS), batch)
    assert found.confusion == [[2, 1, 0], [1, 1, 0], [0, 1, 0]]  # rows: the action; columns: what it is taken for
    assert found.accuracy == pytest.approx(3 / 6)
    shares = [
        torch.tensor(logits, dtype=torch.float64).softmax(0)[label]
        for logits, label in zip(LOGITS, LABELS, strict=True)
    ]
    assert found.loss == pytest.approx(-torch.stack(shares).log().mean().item())
    assert found.clips == 6
    assert found.draws == [0.5]
    assert recognition(Told(), clips, len(LABELS), batch, draws=2).draws == pytest.approx([2 / 3, 1 / 3])
    # the clips of a draw lie one after the other
    assert recognition(Told(), clips, len(LABELS), batch, draws=3).draws == [0.5, 0.5, 0.5]


def test_logits_in_bf16():
    found = recognition(lambda shown: shown.bfloat16(), clips, len(LABELS), 4)
    assert found.confusion == [[2, 1, 0], [1, 1, 0], [0, 1, 0]]


def test_a_count_adds_up():
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(50, 6, generator=generator), torch.randint(6, (50,), generator=generator)
    found = recognition(Told(), lambda first, count: (logits[first:][:count], labels[first:][:count]), 50, 8)
    assert [sum(row) for row in found.confusion] == torch.bincount(labels, minlength=6).tolist()
    assert [sum(column) for column in zip(*found.confusion, strict=True)] == torch.bincount(
        logits.argmax(1), minlength=6
    ).tolist()
    assert found.accuracy == (logits.argmax(1) == labels).double().mean().item()
