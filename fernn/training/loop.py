"""The training loop: Adam, clipping, the best epoch, and a checkpoint from which it goes on bit for bit."""

import math
import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from fernn.errors import FernnError
from fernn.models.precision import autocast
from fernn.models.storage import channels_last
from fernn.training.checkpoint import Checkpoint, read_checkpoint, take_up, write_checkpoint
from fernn.training.workers import ALONE, Workers

if TYPE_CHECKING:
    from fernn.training.progress import TrainingProgress


class Task(Protocol):
    """What a model is trained to do. Batches depend on (epoch, number) alone, so any of them can be made again.

    Attributes:
        batches: of an epoch.
        micro_batch: how much of a batch makes a part, None for all of it. Sums are rounded by it, so that a training
            that goes on takes that which it began with.
    """

    batches: int
    micro_batch: int | None

    def size(self, number: int) -> int:
        """Sequences or clips of a batch."""

    def batch(self, epoch: int, number: int, workers: Workers = ALONE) -> Any:
        """One batch, or a worker's own of it, on the training device."""

    def parts(self, batch: Any) -> Iterable[tuple[float, Any]]:
        """That in parts that are computed one after the other, each with its share of the loss."""

    def loss(self, model: nn.Module, part: Any) -> Tensor:
        """The mean loss of a part, a scalar to be differentiated."""

    def validate(self, model: nn.Module, workers: Workers = ALONE) -> dict[str, float]:
        """Measures on the validation set, "validation_loss" among them; workers share it."""

    def score(self, measures: dict[str, float]) -> float:
        """Of an epoch's measures; the epoch of the smallest score is kept, the first one at ties."""


@dataclass(frozen=True)
class Settings:
    """How to train.

    Attributes:
        learning_rate: of Adam, constant.
        epochs: number of passes.
        clip_norm: largest norm of all gradients together; None leaves them as they are.
        precision: see `fernn.models.precision`.
        validate_every: batches after which it is validated inside an epoch too; None is at its end alone. Such a look
            changes no weight, and the best epoch is chosen at ends of epochs.
        identity: digest of everything the result depends on; a checkpoint of another identity is not taken up.
    """

    learning_rate: float
    epochs: int
    clip_norm: float | None
    precision: str
    validate_every: int | None
    identity: str


@dataclass(frozen=True)
class Fit:
    """A finished training.

    Attributes:
        weights: of the best epoch; those it started with, if it diverged in its first.
        history: measures of every validation, with its epoch from 1 and the optimizer steps before it; the last ones
            are not all finite if it diverged.
        best_epoch: from 1; 0 if it diverged in its first.
        diverged: whether the loss was not finite at the end of an epoch, which was the last one then.
        micro_batch: see `Task`.
        choices: what the model left to the device, as it was computed, by name.
        environments: of all processes that computed a part of it; see `fernn.provenance.environment`.
    """

    weights: dict[str, Tensor]
    history: list[dict[str, float]]
    best_epoch: int
    diverged: bool
    micro_batch: int | None = None
    choices: dict[str, str] = field(default_factory=dict)
    environments: list[dict[str, Any]] = field(default_factory=list)


class Interrupted(Exception):  # noqa: N818 (an event, not an error)
    """The run was asked to stop (SIGTERM or SIGINT); its checkpoint holds everything up to here."""

    def __init__(self, signum: int, checkpoint: Path) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}; the same command goes on from {checkpoint}")
        self.signum = signum


def fit(
    model: nn.Module,
    task: Task,
    settings: Settings,
    checkpoint: Path,
    progress: "TrainingProgress",
    may_diverge: bool = False,
    save_every: float = math.inf,
    workers: Workers = ALONE,
    environments: Sequence[dict[str, Any]] = (),
) -> Fit:
    """Train `model` on its device, from the checkpoint if there is one of the same identity.

    The checkpoint is written after every epoch, inside one after the first batch that ends `save_every` seconds or more
    after the last checkpoint, and, at SIGTERM or SIGINT, after the batch in hand. A run that was stopped or killed and
    started again ends with the same weights, bit for bit on a CPU. A checkpoint knows nothing of workers: any number of
    them goes on from it, and with the same number the bits are the same.

    Args:
        model: on the device.
        task: what it is trained to do.
        settings: how.
        checkpoint: the file of its state.
        progress: what a person sees.
        may_diverge: whether a loss that is not finite at the end of an epoch ends the training, and is no error.
        save_every: seconds between checkpoints; it changes no weight.
        workers: who shares the batches; each calls this, with a model of the same weights.
        environments: of the processes that train now; the checkpoint keeps those of all.

    Raises:
        Interrupted: after the checkpoint is saved.
        FernnError: if the training diverged and may not.
    """
    channels_last(model)
    device = next(model.parameters()).device
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate, fused=True)
    state = _take_up(checkpoint, settings.identity, device, progress, workers)
    if state is None:
        state = Checkpoint.start(settings.identity, device)
        state.best_weights, state.micro_batch = _weights(model), task.micro_batch
    elif state.micro_batch != task.micro_batch:
        progress.tell(
            f"goes on with {state.micro_batch or 'all'} of a batch at a time, as it began; here it would begin with "
            f"{task.micro_batch or 'all'}"
        )
        task.micro_batch = state.micro_batch
    state.restore(model, optimizer)
    state.environments += [each for each in environments if each not in state.environments]

    def over() -> bool:
        return state.diverged or state.epoch >= settings.epochs

    def save() -> float:
        if workers.first:
            write_checkpoint(checkpoint, state, model, optimizer)
            progress.saved(state)
        return monotonic()

    def sound() -> bool:
        """Whether the loss and what the last step made of the weights are numbers; it waits for the device."""
        return bool(state.loss_sum.isfinite()) and all(bool(each.isfinite().all()) for each in model.parameters())

    bad = torch.full((), -1, device=device)  # the first batch of the epoch whose loss is not finite
    engine = workers.engine(model)

    progress.start(settings.epochs, task.batches, state)
    saved = monotonic()
    with _stop_signals() as stop:
        while not over():
            model.train()
            while state.batch < task.batches:
                optimizer.zero_grad(set_to_none=True)
                summed = state.loss_sum if workers.count == 1 else torch.zeros_like(state.loss_sum)
                for loss in _gradients(engine, task, settings, state, workers):
                    summed += loss  # stays on the device: no wait for it here
                if workers.count > 1:
                    state.loss_sum += workers.sum(summed)
                if settings.clip_norm is not None:
                    nn.utils.clip_grad_norm_(model.parameters(), settings.clip_norm)
                optimizer.step()
                bad = torch.where(torch.isfinite(state.loss_sum) | (bad >= 0), bad, state.batch)
                state.batch += 1
                progress.batch(state)
                inside = state.batch < task.batches
                if inside and settings.validate_every and state.batch % settings.validate_every == 0:
                    state.history.append(_measure(model, task, settings, state, workers))
                    model.train()
                # by the clock of the host alone: a batch that does not save waits for no device
                signum, due = workers.agree(max(stop, default=0), monotonic() - saved >= save_every)
                if inside and (signum or due):
                    if sound():  # else the last good checkpoint stays
                        saved = save()
                    elif not may_diverge:
                        raise FernnError(_divergence(state, settings, int(bad)))
                    if signum:
                        raise Interrupted(signum, checkpoint)
            _end_epoch(model, task, settings, state, workers)
            if state.diverged:
                told = _divergence(state, settings, int(bad))
                if not may_diverge:
                    raise FernnError(told)
                progress.tell(f"{told} As a candidate of a search it counts as failed.")
            saved = save()
            progress.epoch(state)
            (signum,) = workers.agree(max(stop, default=0))
            if signum and not over():
                raise Interrupted(signum, checkpoint)
    choices: dict[str, str] = getattr(model, "choices", {})  # most models leave nothing to the device
    found = state.best_weights, state.history, state.best_epoch, state.diverged, state.micro_batch
    return Fit(*found, choices, state.environments)


def _gradients(
    engine: nn.Module, task: Task, settings: Settings, state: Checkpoint, workers: Workers
) -> Iterator[Tensor]:
    """Add the gradients of a batch to the weights' own, part by part; gives what each adds to the batch's mean loss."""
    size = task.size(state.batch)
    weight = workers.weight(size)
    parts = [*task.parts(task.batch(state.epoch, state.batch, workers))]
    for number, (share, part) in enumerate(parts, 1):
        with workers.at(engine, size, last=number == len(parts)):
            with autocast(state.loss_sum.device, settings.precision):
                loss = task.loss(engine, part) * share
            if workers.count > 1:
                loss = loss * weight
                (loss * workers.count).backward()  # of which all workers' mean is taken
            else:
                loss.backward()
        yield loss.detach()


def _take_up(
    checkpoint: Path, identity: str, device: torch.device, progress: "TrainingProgress", workers: Workers
) -> Checkpoint | None:
    """As `take_up`; the first worker alone moves files about, and the others read what it leaves."""
    state = take_up(checkpoint, identity, device, progress.say) if workers.first else None
    (found,) = workers.agree(state is not None)
    return read_checkpoint(checkpoint, device) if found and not workers.first else state


def _end_epoch(model: nn.Module, task: Task, settings: Settings, state: Checkpoint, workers: Workers) -> None:
    measures = _measure(model, task, settings, state, workers)
    # an accuracy is finite even where the loss is not
    finite = math.isfinite(measures["train_loss"]) and math.isfinite(measures["validation_loss"])
    state.end_epoch(measures, task.score(measures) if finite else math.inf)
    if state.best_epoch == state.epoch:
        state.best_weights = _weights(model)


def _measure(model: nn.Module, task: Task, settings: Settings, state: Checkpoint, workers: Workers) -> dict[str, float]:
    """The mean training loss of the epoch so far, and the measures of a validation."""
    train_loss = state.loss_sum.item() / state.batch
    model.eval()
    with torch.no_grad(), autocast(next(model.parameters()).device, settings.precision):
        measures = task.validate(model, workers)
    step = state.epoch * task.batches + state.batch
    return {"epoch": state.epoch + 1, "step": step, "train_loss": train_loss, **measures}


def _weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def _divergence(state: Checkpoint, settings: Settings, bad: int) -> str:
    """What a person is told; `bad` is the first batch whose loss is not finite, from 0, or -1."""
    if state.batch:  # the epoch is under way
        epoch, losses = state.epoch + 1, f"its loss is {state.loss_sum.item()}"
        if bad < 0:  # the loss was still a number, and the step after it made weights that are none
            bad, losses = state.batch - 1, "after it a weight is no number"
    else:
        last = state.history[-1]
        epoch, losses = state.epoch, f"its loss is {last['train_loss']}, on validation {last['validation_loss']}"
    where = f"epoch {epoch}, batch {bad + 1}" if bad >= 0 else f"epoch {epoch}"
    return (
        f"the training diverged in {where}: {losses}. The learning rate is {settings.learning_rate:g}, the gradient "
        f"clip {settings.clip_norm}; lower them in params.yaml. The last good checkpoint stays."
    )


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """Collect SIGTERM and SIGINT in a list in place of dying of them."""
    seen: list[int] = []
    before = {
        number: signal.signal(number, lambda signum, _: seen.append(signum))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
