import math
import signal
from dataclasses import replace

import pytest
import torch
from torch import nn

from fernn.datasets.sequences import RenderedSequences
from fernn.datasets.translating import TranslationSampler, render
from fernn.errors import FernnError
from fernn.flows import Translation
from fernn.models import FERNNPredictor
from fernn.training.checkpoint import read_checkpoint
from fernn.training.distributed import SINGLE_PROCESS
from fernn.training.loop import Interrupted
from fernn.training.tasks import PredictionTask
from tests.closeness import assert_close

from .toy import BATCHES, EPOCHS, Toy, same, send, toy_model, train


def test_history(tmp_path):
    task = Toy()
    fit = train(tmp_path / "c", task=task)
    assert [row["epoch"] for row in fit.history] == [1, 2, 3]
    assert [asked for asked in task.asked if asked[0] != 99] == [(e, b) for e in range(EPOCHS) for b in range(BATCHES)]
    assert fit.best_epoch == min(fit.history, key=lambda row: row["validation_loss"])["epoch"]


def test_train_loss_is_the_mean_over_the_batches(tmp_path):
    """With a tiny learning rate the weights stay, and the mean of the batches so far is reproducible."""
    model = nn.Conv2d(5, 1, 3, padding=1)
    fit = train(tmp_path / "c", model=model, learning_rate=1e-30, epochs=1, validate_every=1)
    losses = [Toy().loss(model, Toy().batch(0, b)).item() for b in range(BATCHES)]
    means = [sum(losses[:b]) / b for b in range(1, BATCHES + 1)]
    assert [row["train_loss"] for row in fit.history] == pytest.approx(means, rel=1e-6)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_modes_and_precision_of_training_and_validation(tmp_path, precision):
    model, seen = toy_model(), []

    def look(model, _inputs, output):
        seen.append((model.training, torch.is_grad_enabled(), output.dtype))

    model.register_forward_hook(look)
    train(tmp_path / "c", model=model, epochs=1, validate_every=2, precision=precision)
    dtype = {"float32": torch.float32, "bf16": torch.bfloat16}[precision]
    assert BATCHES == 4  # so it is validated in the middle of the epoch and at its end
    assert seen == [(trains, trains, dtype) for trains in (True, True, False, True, True, False)]


def test_weights_without_a_gradient_stay(tmp_path):
    """Adam has no weight decay (released code)."""
    model = toy_model()
    with torch.no_grad():
        model[0].bias[0] = -1e9  # the first channel is 0 behind the ReLU
    before = {name: value.clone() for name, value in model.state_dict().items()}
    train(tmp_path / "c", model=model)
    assert torch.equal(model[0].weight[0], before["0.weight"][0])
    assert torch.equal(model[3].weight[:, 0], before["3.weight"][:, 0])
    assert not torch.equal(model[3].weight[:, 1], before["3.weight"][:, 1])


@pytest.mark.parametrize(("losses", "best"), [([3.0, 1.0, 2.0], 2), ([1.0, 2.0, 3.0], 1), ([2.0, 1.0, 1.0], 2)])
def test_the_best_epoch_is_kept(tmp_path, losses, best):
    fit = train(tmp_path / "c", task=Toy(losses))
    until_then = train(tmp_path / "d", task=Toy(losses[:best]), epochs=best)
    assert fit.best_epoch == best
    assert [row["validation_loss"] for row in fit.history] == losses
    assert all(torch.equal(fit.weights[name], until_then.weights[name]) for name in fit.weights)


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_divergence(tmp_path, loss):
    with pytest.raises(FernnError, match=r"diverged in epoch 2: .*learning rate is 0.01.*lower them in params.yaml"):
        train(tmp_path / "c", task=Toy([1.0, loss, 1.0]))


class Broken(Toy):
    """One batch of which holds no numbers."""

    def batch(self, epoch, number, world=SINGLE_PROCESS):
        images, targets = super().batch(epoch, number)
        return (images * math.nan, targets) if (epoch, number) == (1, 2) else (images, targets)


@pytest.mark.parametrize("save_every", [math.inf, 0.0])
def test_the_batch_is_named_and_the_last_good_checkpoint_stays(tmp_path, save_every):
    """Where checkpoints are written inside an epoch, the training ends there and not at the epoch's end."""
    task = Broken()
    with pytest.raises(FernnError, match=r"diverged in epoch 2, batch 3: its loss is nan"):
        train(tmp_path / "c", task=task, save_every=save_every)
    assert task.trained() == BATCHES + (3 if save_every == 0 else BATCHES)
    kept = read_checkpoint(tmp_path / "c", torch.device("cpu"))
    assert (kept.epoch, kept.batch) == (1, 2 if save_every == 0 else 0)
    assert all(value.isfinite().all() for value in kept.tensors["model"].values())
    assert same(train(tmp_path / "c"), train(tmp_path / "d"))  # of a task that is whole, it goes on


@pytest.mark.parametrize("loss", [math.nan, math.inf])
@pytest.mark.parametrize("wanted", [-1, +1])
def test_a_training_that_may_diverge_ends_with_its_best_epoch_so_far(tmp_path, loss, wanted):
    fit = train(tmp_path / "c", task=Toy([1.0, loss, 1.0], wanted), may_diverge=True)
    until_then = train(tmp_path / "d", task=Toy([1.0]), epochs=1)
    assert (fit.diverged, fit.best_epoch, until_then.diverged) == (True, 1, False)
    assert [row["epoch"] for row in fit.history] == [1, 2]
    assert repr(fit.history[-1]["validation_loss"]) == repr(loss)
    assert all(torch.equal(fit.weights[name], until_then.weights[name]) for name in until_then.weights)


@pytest.mark.parametrize("may_diverge", [False, True])
def test_weights_that_are_no_numbers_are_not_saved(tmp_path, may_diverge):
    """Where the loss was still a number, and the step after it overflowed."""
    wild = {"learning_rate": 3e38, "clip_norm": None, "save_every": 0.0}
    if may_diverge:  # a candidate of a search: it fails at the end of the epoch
        assert train(tmp_path / "c", may_diverge=True, **wild).diverged
        return
    with pytest.raises(FernnError, match=r"diverged in epoch 1, batch 1: after it a weight is no number"):
        train(tmp_path / "c", **wild)
    assert not (tmp_path / "c").exists()


def test_a_training_that_diverges_in_its_first_epoch_leaves_the_weights_it_started_with(tmp_path):
    fit = train(tmp_path / "c", learning_rate=1e30, clip_norm=None, may_diverge=True)
    assert (fit.diverged, fit.best_epoch, len(fit.history)) == (True, 0, 1)
    start = toy_model().state_dict()
    assert all(torch.equal(fit.weights[name], start[name]) for name in start)


@pytest.mark.parametrize("limit", [1e-3, 1e-6])
def test_gradients_are_clipped(tmp_path, limit):
    model = toy_model()
    train(tmp_path / "c", model=model, clip_norm=limit)
    norm = torch.stack([weight.grad.norm() for weight in model.parameters()]).norm().item()
    assert norm == pytest.approx(limit, rel=1e-2)


def test_gradients_are_left_alone_without_a_limit(tmp_path):
    assert same(train(tmp_path / "c", clip_norm=None), train(tmp_path / "d", clip_norm=1e9))
    assert not same(train(tmp_path / "e", clip_norm=None), train(tmp_path / "f", clip_norm=1e-3))


def prediction_task() -> PredictionTask:
    pool = torch.randint(0, 256, (20, 6, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    rendered = RenderedSequences(render, pool, 5, 8)
    book = TranslationSampler(1, "train/V1T", 20, 2, 8, Translation(1))
    held_out = TranslationSampler(1, "validation-V1T", 20, 2, 8, Translation(1)).draw(7)
    return PredictionTask(rendered.drawn(book, 26), rendered.of(held_out), 26, 7, batch_size=4, seen=3)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_predictor_learns(tmp_path, precision):
    torch.manual_seed(0)
    model = FERNNPredictor("V1T", hidden_channels=8, decoder_layers=1)
    fit = train(tmp_path / "c", model=model, task=prediction_task(), epochs=8, precision=precision)
    losses = [row["validation_loss"] for row in fit.history]
    assert losses[-1] < 0.8 * losses[0]
    assert all(weight.dtype == torch.float32 for weight in fit.weights.values())


def test_tf32_is_float32_on_a_cpu(tmp_path):
    assert same(train(tmp_path / "c", precision="float32"), train(tmp_path / "d", precision="tf32"))


@pytest.mark.parametrize("micro_batch", [1, 3, 4])
def test_a_batch_in_parts_has_the_same_gradient(micro_batch):
    gradients = []
    for parts in (None, micro_batch):
        torch.manual_seed(0)
        model = FERNNPredictor("V1T", hidden_channels=4, decoder_layers=1).double()
        task = replace(prediction_task(), micro_batch=parts)
        for share, part in task.parts(task.batch(0, 0).double()):
            assert part.shape[0] <= (parts or 4)
            (task.loss(model, part) * share).backward()
        gradients.append(torch.cat([weight.grad.flatten() for weight in model.parameters()]))
    # the loss is taken in float32
    assert_close(gradients[1].float(), gradients[0].float(), "gradient of the batch")


@pytest.mark.parametrize(("began", "here"), [(3, None), (None, 3), (2, 4)])
def test_a_training_goes_on_in_the_parts_that_it_began_with(tmp_path, began, here):
    """As where the card that it goes on with has another size: its bytes are those of the undisturbed one."""

    def trained(name, micro_batch, *stopped):
        torch.manual_seed(0)
        model = FERNNPredictor("V1T", hidden_channels=4, decoder_layers=1)
        task = replace(prediction_task(), micro_batch=micro_batch)
        return train(tmp_path / name, *stopped, model=model, task=task)

    undisturbed = trained("undisturbed", began)
    with pytest.raises(Interrupted):
        trained("c", began, 3, send(signal.SIGTERM))
    resumed = trained("c", here)
    assert same(resumed, undisturbed)
    assert resumed.micro_batch == undisturbed.micro_batch == began
    assert not same(trained("other", here), undisturbed)


def test_batches_of_an_epoch():
    task = prediction_task()
    sizes = [task.batch(0, number).shape[0] for number in range(task.batches)]
    assert sizes == [4, 4, 4, 4, 4, 4, 2]
    assert not torch.equal(task.batch(0, 0), task.batch(1, 0))


def test_validation_loss_does_not_depend_on_the_batches():
    torch.manual_seed(0)
    model, task = FERNNPredictor("V1T", hidden_channels=4, decoder_layers=1), prediction_task()
    frames = task.validation(0, 7)
    with torch.no_grad():
        whole = (model(frames[:, :3], 2) - frames[:, 3:]).square().mean().item()
        measures = task.validate(model)
    assert measures == {"validation_loss": pytest.approx(whole, rel=1e-6)}
    assert task.score(measures) == measures["validation_loss"]
