"""The training loop: Adam, clipping, the best epoch, and a checkpoint from which training resumes bit for bit."""

import math
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from fernn.errors import FernnError
from fernn.models.precision import autocast
from fernn.models.storage import channels_last
from fernn.training.checkpoint import Checkpoint, read_checkpoint, take_up, write_checkpoint
from fernn.training.distributed import SINGLE_PROCESS, World

if TYPE_CHECKING:  # what a person sees, and how params are checked, decides no result
    from fernn.params.base import Training
    from fernn.training.progress import TrainingProgress


@dataclass
class Task(ABC):
    """What a model is trained to do. A batch depends on (epoch, number) alone, so that any batch can be repeated.

    Attributes:
        train: samples first ... first + count - 1 of an epoch, on the training device: train(epoch, first, count).
        validation: the same of the validation set: validation(first, count).
        sequences: training samples of an epoch; those that fill no whole batch make a smaller last one.
        validation_sequences: number of them.
        batch_size: samples of a batch.
        micro_batch: samples that are computed at a time, which bounds the memory of a step; None for the whole batch.
            Sums are rounded by it, so a resumed training keeps the value that it began with.
    """

    train: Callable[[int, int, int], Any]
    validation: Callable[[int, int], Any]
    sequences: int
    validation_sequences: int
    batch_size: int
    micro_batch: int | None = field(default=None, kw_only=True)

    @property
    def batches(self) -> int:
        """Batches of an epoch."""
        return -(-self.sequences // self.batch_size)

    def size(self, number: int) -> int:
        """Samples of a batch."""
        return min(self.batch_size, self.sequences - number * self.batch_size)

    def batch(self, epoch: int, number: int, world: World = SINGLE_PROCESS) -> Any:
        """This rank's shard of a batch."""
        first, count = world.shard(self.size(number))
        return self.train(epoch, number * self.batch_size + first, count)

    def validation_batches(self, world: World = SINGLE_PROCESS) -> Iterator[Any]:
        """This rank's share of the batches of the validation set."""
        for first in range(0, self.validation_sequences, self.batch_size)[world.rank :: world.size]:
            yield self.validation(first, min(self.batch_size, self.validation_sequences - first))

    def parts(self, batch: Any) -> Iterable[tuple[float, Any]]:
        """The micro-batches of a shard, each with its weight in the loss of the shard."""
        return [(1.0, batch)]

    @abstractmethod
    def loss(self, model: nn.Module, part: Any) -> Tensor:
        """The mean loss of a micro-batch, a scalar to be differentiated."""

    @abstractmethod
    def validate(self, model: nn.Module, world: World = SINGLE_PROCESS) -> dict[str, float]:
        """Measures on the validation set, "validation_loss" among them; the ranks share it."""

    @abstractmethod
    def score(self, measures: dict[str, float]) -> float:
        """Of an epoch's measures; the epoch of the smallest score is kept, the first one at ties."""


@dataclass(frozen=True)
class TrainingContext:
    """What one process needs for a training besides what decides the result.

    Attributes:
        device: what trains.
        checkpoint: file of the training's state.
        identity: digest of everything the result depends on; a checkpoint of another identity is not resumed.
        progress: what a person sees.
        check: called before the result is written; an error there leaves it unwritten.
        may_diverge: whether a loss that is not finite at the end of an epoch ends the training, and is no error.
        save_every: seconds between checkpoints inside an epoch.
        world: the ranks that share each batch; each process has a context of its own.
        environment: gives the environment of this process; called once its settings are made.
    """

    device: torch.device
    checkpoint: Path
    identity: str
    progress: "TrainingProgress"
    check: Callable[[], None] = lambda: None
    may_diverge: bool = False
    save_every: float = math.inf
    world: World = SINGLE_PROCESS
    environment: Callable[[], dict[str, Any]] = dict


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
    training: "Training",
    learning_rate: float,
    context: TrainingContext,
    environments: Sequence[dict[str, Any]] = (),
) -> Fit:
    """Train `model` on its device, from the checkpoint if there is one of the same identity.

    The checkpoint is written after every epoch, inside one after the first batch that ends `save_every` seconds or more
    after the last checkpoint, and, at SIGTERM or SIGINT, after the current batch. A run that was stopped or killed and
    started again ends with the same weights, bit for bit on a CPU. A checkpoint does not depend on the world size: any
    number of ranks can resume it, and with the same number the bits are the same.

    Args:
        model: on the device; with several ranks, each calls this with the same weights.
        task: what it is trained to do.
        training: section of params.yaml: epochs, clip_norm, precision, validate_every. A validation inside an epoch
            changes no weight; the best epoch is chosen at ends of epochs.
        learning_rate: of Adam, constant.
        context: of this process.
        environments: of the processes that train now; the checkpoint keeps those of all.

    Raises:
        Interrupted: after the checkpoint is saved.
        FernnError: if the training diverged and may not.
    """
    channels_last(model)
    world, progress, checkpoint = context.world, context.progress, context.checkpoint
    device = next(model.parameters()).device
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate, fused=True)
    state = _take_up(context, device)
    if state is None:
        state = Checkpoint.start(context.identity, device)
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
        return state.diverged or state.epoch >= training.epochs

    def save() -> float:
        if world.first:
            write_checkpoint(checkpoint, state, model, optimizer)
            progress.saved(state)
        return monotonic()

    def sound() -> bool:
        """Whether the loss and the weights after the last step are finite; waits for the device."""
        return bool(state.loss_sum.isfinite()) and all(bool(each.isfinite().all()) for each in model.parameters())

    def divergence() -> str:
        return _divergence(state, learning_rate, training.clip_norm, int(bad))

    bad = torch.full((), -1, device=device)  # the first batch of the epoch whose loss is not finite
    wrapped = world.wrap(model)

    progress.start(training.epochs, task.batches, state)
    saved = monotonic()
    with _stop_signals() as stop:
        while not over():
            model.train()
            while state.batch < task.batches:
                optimizer.zero_grad(set_to_none=True)
                loss = state.loss_sum if world.size == 1 else torch.zeros_like(state.loss_sum)
                for part in _backward(wrapped, task, training.precision, state, world):
                    loss += part  # stays on the device: no wait for it here
                if world.size > 1:
                    state.loss_sum += world.all_reduce(loss)
                if training.clip_norm is not None:
                    nn.utils.clip_grad_norm_(model.parameters(), training.clip_norm)
                optimizer.step()
                bad = torch.where(torch.isfinite(state.loss_sum) | (bad >= 0), bad, state.batch)
                state.batch += 1
                progress.batch(state)
                inside = state.batch < task.batches
                if inside and training.validate_every and state.batch % training.validate_every == 0:
                    state.history.append(_measure(model, task, training.precision, state, world))
                    model.train()
                # by the clock of the host alone: a batch that does not save waits for no device
                signum, due = world.maximum(max(stop, default=0), monotonic() - saved >= context.save_every)
                if inside and (signum or due):
                    if sound():  # else the last good checkpoint stays
                        saved = save()
                    elif not context.may_diverge:
                        raise FernnError(divergence())
                    if signum:
                        raise Interrupted(signum, checkpoint)
            measures = _measure(model, task, training.precision, state, world)
            # an accuracy is finite even where the loss is not
            finite = math.isfinite(measures["train_loss"]) and math.isfinite(measures["validation_loss"])
            state.end_epoch(measures, task.score(measures) if finite else math.inf)
            if state.best_epoch == state.epoch:
                state.best_weights = _weights(model)
            if state.diverged:
                if not context.may_diverge:
                    raise FernnError(divergence())
                progress.tell(f"{divergence()} As a candidate of a search it counts as failed.")
            saved = save()
            progress.epoch(state)
            (signum,) = world.maximum(max(stop, default=0))
            if signum and not over():
                raise Interrupted(signum, checkpoint)
    return Fit(
        state.best_weights,
        state.history,
        state.best_epoch,
        state.diverged,
        state.micro_batch,
        getattr(model, "choices", {}),  # most models leave nothing to the device
        state.environments,
    )


def _backward(wrapped: nn.Module, task: Task, precision: str, state: Checkpoint, world: World) -> Iterator[Tensor]:
    """Accumulate the gradients of a batch over its micro-batches; gives what each adds to the batch's mean loss."""
    size = task.size(state.batch)
    weight = world.weight(size)
    parts = [*task.parts(task.batch(state.epoch, state.batch, world))]
    for number, (share, part) in enumerate(parts, 1):
        with world.micro_batch(wrapped, size, last=number == len(parts)):
            with autocast(state.loss_sum.device, precision):
                loss = task.loss(wrapped, part) * share
            if world.size > 1:
                loss = loss * weight
                (loss * world.size).backward()  # DDP takes the mean over the ranks
            else:
                loss.backward()
        yield loss.detach()


def _take_up(context: TrainingContext, device: torch.device) -> Checkpoint | None:
    """As `take_up`; rank 0 alone moves files, and the others read what it leaves."""
    checkpoint, world = context.checkpoint, context.world
    state = take_up(checkpoint, context.identity, device, context.progress.say) if world.first else None
    (found,) = world.maximum(state is not None)
    return read_checkpoint(checkpoint, device) if found and not world.first else state


def _measure(model: nn.Module, task: Task, precision: str, state: Checkpoint, world: World) -> dict[str, float]:
    """The mean training loss of the epoch so far, and the measures of a validation."""
    train_loss = state.loss_sum.item() / state.batch
    model.eval()
    with torch.no_grad(), autocast(next(model.parameters()).device, precision):
        measures = task.validate(model, world)
    step = state.epoch * task.batches + state.batch
    return {"epoch": state.epoch + 1, "step": step, "train_loss": train_loss, **measures}


def _weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def _divergence(state: Checkpoint, learning_rate: float, clip_norm: float | None, bad: int) -> str:
    """The error message; `bad` is the first batch whose loss is not finite, from 0, or -1."""
    if state.batch:  # inside an epoch
        epoch, losses = state.epoch + 1, f"its loss is {state.loss_sum.item()}"
        if bad < 0:  # the loss was finite, and the step after it made weights that are not
            bad, losses = state.batch - 1, "after it a weight is no number"
    else:
        last = state.history[-1]
        epoch, losses = state.epoch, f"its loss is {last['train_loss']}, on validation {last['validation_loss']}"
    where = f"epoch {epoch}, batch {bad + 1}" if bad >= 0 else f"epoch {epoch}"
    return (
        f"the training diverged in {where}: {losses}. The learning rate is {learning_rate:g}, the gradient "
        f"clip {clip_norm}; lower them in params.yaml. The last good checkpoint stays."
    )


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """Collect SIGTERM and SIGINT in a list instead of terminating."""
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
