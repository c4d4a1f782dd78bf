import io

import pytest
import torch
import torch.nn.functional as F
from rich.console import Console
from torch import Tensor, nn

from fernn.models import FERNNClassifier
from fernn.training.loop import Fit, fit
from fernn.training.progress import TrainingProgress
from fernn.training.recognition import RecognitionTask

from .toy import context, section

CLASSES, SIDE, FRAMES = 3, 8, 4


def bars(seed: int, count: int) -> tuple[Tensor, Tensor]:
    """Bars that lie, stand or are crossed, somewhere: clips (count, FRAMES, 1, SIDE, SIDE) and labels."""
    generator = torch.Generator().manual_seed(seed)
    label = torch.randint(CLASSES, (count,), generator=generator)
    place = torch.randint(SIDE, (count, 2), generator=generator)
    clips = 0.1 * torch.rand(count, FRAMES, 1, SIDE, SIDE, generator=generator)
    for clip, action, (x, y) in zip(clips, label.tolist(), place.tolist(), strict=True):
        if action != 1:
            clip[..., y, :] = 1
        if action != 0:
            clip[..., :, x] = 1
    return clips, label


def task(batch_size: int, count: int = 22, validation_count: int = 13) -> RecognitionTask:
    held_out = bars(999, validation_count)

    def train(epoch: int, first: int, number: int) -> tuple[Tensor, Tensor]:
        clips, label = bars(epoch, count)
        return clips[first : first + number], label[first : first + number]

    def validation(first: int, number: int) -> tuple[Tensor, Tensor]:
        return held_out[0][first : first + number], held_out[1][first : first + number]

    return RecognitionTask(train, validation, count, validation_count, batch_size)


def classifier() -> FERNNClassifier:
    torch.manual_seed(0)
    return FERNNClassifier("V1T", stem_channels=[4, 6], stem_kernels=[3, 3], classes=CLASSES)


def trained(model: nn.Module, task: RecognitionTask, folder, learning_rate: float = 0.01, **changes) -> Fit:
    with TrainingProgress("bars", Console(file=io.StringIO())) as progress:
        how = section(**{"epochs": 4, **changes})
        return fit(model, task, how, learning_rate, context(folder / "checkpoint", progress))


@pytest.mark.parametrize(("size", "sizes"), [(4, [4] * 5 + [2]), (11, [11, 11]), (22, [22]), (50, [22])])
def test_batches_hold_every_clip_of_an_epoch_once(size, sizes):
    recognition = task(size)
    batches = [recognition.batch(3, number) for number in range(recognition.batches)]
    assert [len(label) for _, label in batches] == sizes
    clips, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
    assert torch.equal(clips, bars(3, 22)[0])
    assert torch.equal(labels, bars(3, 22)[1])


def test_loss_is_the_mean_cross_entropy():
    model, (clips, label) = classifier().eval(), bars(0, 5)
    shares = model(clips).softmax(1)[torch.arange(5), label]
    assert task(4).loss(model, (clips, label)).item() == pytest.approx(-shares.log().mean().item(), rel=1e-6)


def test_loss_of_logits_in_bf16():
    clips, label = bars(0, 5)
    loss = task(4).loss(lambda clips: torch.ones(5, CLASSES, dtype=torch.bfloat16, requires_grad=True), (clips, label))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(torch.tensor(3.0).log().item(), rel=1e-6)


@pytest.mark.parametrize("size", [1, 4, 13, 50])
def test_validation_does_not_depend_on_the_batch(size):
    model, (clips, label) = classifier().eval(), bars(999, 13)
    with torch.no_grad():
        measures, logits = task(size).validate(model), model(clips).double()
    assert measures.keys() == {"validation_loss", "validation_accuracy"}
    assert measures["validation_loss"] == pytest.approx(F.cross_entropy(logits, label).item(), rel=1e-6)
    assert measures["validation_accuracy"] == (logits.argmax(1) == label).sum().item() / 13


@pytest.mark.parametrize(("accuracies", "best"), [([0.2, 0.5, 0.5, 0.4], 2), ([0.9, 0.1, 0.2, 0.3], 1)])
def test_the_epoch_of_the_highest_accuracy_is_kept(tmp_path, monkeypatch, accuracies, best):
    """The first one at ties; the loss, which is highest there too, has no say."""
    told = iter(accuracies)
    monkeypatch.setattr(
        RecognitionTask, "validate", lambda *_: dict.fromkeys(("validation_loss", "validation_accuracy"), next(told))
    )
    assert trained(classifier(), task(11), tmp_path).best_epoch == best


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_classifier_learns(tmp_path, precision):
    model = classifier()
    found = trained(model, task(8, count=64, validation_count=60), tmp_path, epochs=8, precision=precision)
    assert found.history[found.best_epoch - 1]["validation_accuracy"] > 0.9
    floating = [value for value in found.weights.values() if value.is_floating_point()]
    assert all(value.dtype == torch.float32 for value in floating)
    model.load_state_dict(found.weights)
    with torch.no_grad():  # the statistics of batch norm are kept with the weights
        measures = task(8, 64, 60).validate(model.eval())
    assert measures["validation_accuracy"] == pytest.approx(
        found.history[found.best_epoch - 1]["validation_accuracy"], abs=0 if precision == "float32" else 0.05
    )
