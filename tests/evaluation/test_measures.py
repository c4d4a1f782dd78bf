import pytest
import torch
from torch import Tensor, nn

from fernn.evaluation import velocity_index
from fernn.evaluation.prediction import LARGEST, measure_prediction, overflow_step
from fernn.evaluation.recognition import measure_recognition

SEQUENCES, SEEN, STEPS, SIDE = 5, 2, 3, 6
CLIPS = torch.rand(SEQUENCES, SEEN + STEPS, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


class Black(nn.Module):
    """Predicts nothing at all."""

    def forward(self, seen: Tensor, steps: int) -> Tensor:
        return torch.zeros(len(seen), steps, *seen.shape[2:])


def measured(model: nn.Module, clips: Tensor, batch: int = 2, central: int | None = None) -> dict:
    return measure_prediction(model, lambda first, n: clips[first : first + n], len(clips), batch, SEEN, central)


def by_step(found: dict, name: str) -> list[float]:
    return [found[name, str(step)] for step in range(1, STEPS + 1)]


@pytest.mark.parametrize("batch", [1, 2, 5, 9])
def test_errors_by_step_and_in_the_middle(batch):
    found = measured(Black(), CLIPS, batch, central=2)
    errors = CLIPS[:, SEEN:].double().square().mean((2, 3, 4))
    assert by_step(found, "mse") == pytest.approx(errors.mean(0).tolist())
    assert by_step(found, "mse_std") == pytest.approx(errors.std(0, correction=0).tolist())
    assert by_step(found, "mse_median") == pytest.approx(errors.median(0).values.tolist())
    assert found["mse", ""] == pytest.approx(errors.mean().item())
    assert found["mse_median", ""] == pytest.approx(errors.mean(1).median().item())
    assert found["mse_central", ""] == pytest.approx(CLIPS[:, SEEN:, :, 2:4, 2:4].double().square().mean().item())
    assert found["sequences", ""] == SEQUENCES
    assert ("mse_central", "") not in measured(Black(), CLIPS)


def test_the_median_of_an_even_number_is_between_the_middle_two():
    errors = CLIPS[:4, SEEN:].double().square().mean((1, 2, 3, 4)).sort().values
    assert measured(Black(), CLIPS[:4])["mse_median", ""] == pytest.approx(errors[1:3].mean().item())


def test_lost_sequences_have_a_larger_error_than_mean_brightness():
    """Black is better than the mean of the seen frames where the later ones are dark."""
    clips = torch.zeros(4, SEEN + STEPS, 1, SIDE, SIDE)
    clips[:, :SEEN] = 0.5
    clips[1, SEEN:] = 0.2
    clips[2, SEEN + 1] = 0.6
    clips[3, SEEN:] = 0.6
    found = measured(Black(), clips)
    assert by_step(found, "lost") == [1 / 4, 2 / 4, 1 / 4]
    assert found["lost", ""] == 1 / 4  # over all steps the third sequence is still better than its constant


class Growing(Black):
    """Of sequences whose first pixel is bright, forecasts that grow by ten orders of magnitude at each step."""

    def forward(self, seen: Tensor, steps: int) -> Tensor:
        grown = torch.tensor([1e10, 1e20, torch.inf])[:, None, None, None]
        return torch.where(seen[:, -1:, :1, :1, :1] > 0.5, grown, super().forward(seen, steps))


def test_what_float32_cannot_hold_is_its_largest():
    clips = CLIPS.clone()
    clips[:, SEEN - 1, 0, 0, 0] = torch.tensor([0.0, 1.0, 0.0, 0.0, 1.0])
    found = measured(Growing(), clips, central=2)
    assert by_step(found, "mse") == pytest.approx([2 / 5 * 1e20, 2 / 5 * LARGEST, 2 / 5 * LARGEST])
    assert found["mse_central", ""] == pytest.approx(2 / 5 * LARGEST)
    assert by_step(found, "lost") >= [2 / 5] * 3
    assert overflow_step(found) == 2
    clips[:, SEEN - 1, 0, 0, 0] = 0
    assert overflow_step(measured(Growing(), clips)) is None


@pytest.mark.parametrize(("velocity", "index"), [((1, -2), "1 -2"), (30.0, "30"), (-22.5, "-22.5")])
def test_index_of_a_velocity(velocity, index):
    assert velocity_index(velocity) == index


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
