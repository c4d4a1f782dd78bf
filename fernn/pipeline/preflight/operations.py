"""What a run costs before anything has run: operations, bytes moved, and the memory of a training step.

They are counted while the real model runs on torch's meta device, which has shapes and no numbers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from fernn.experiment import Pass
from fernn.experiments import find_experiment
from fernn.layout import Layout
from fernn.params import Params
from fernn.runs import Run, all_runs
from fernn.training.device import kept, step_bytes, weights_of

META = torch.device("meta")
# Forward once, and backward for weights and for inputs; the models' own are 2.94 to 3.13. torch counts the gradient of
# a grouped convolution's weights once for each group too often, so it is not asked. What is computed once more on the
# way back, the inside of the steerable convolution, is left out: a step of V_4^R may take a third longer.
TRAINING = 3
# what gives memory a name or a shape, and moves nothing
_STILL = ("empty", "empty_like", "new_empty", "new_empty_strided", "empty_strided", "_unsafe_view")


@dataclass(frozen=True)
class Speed:
    """What a machine does in a second.

    Attributes:
        operations: additions and multiplications of a convolution or a matrix product.
        moved: bytes to and from memory; infinity where operations alone are to count.
        paces: of a model that was measured, by experiment and name, its time over what these two make of it.
        device: that it was measured on, with its article.
        source: where hours come from, to follow the word.
        unit: what has this speed.
    """

    operations: float
    moved: float = float("inf")
    paces: Mapping[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])
    device: str | None = None
    source: str = "are counted"
    unit: str = "GPU"

    def pace(self, experiment: str, model: str) -> float:
        """Of a model, its time over what is counted: as measured, or in the middle of its experiment's, or 1."""
        own = self.paces_of(experiment)
        return own.get(model, median(own.values()) if own else 1.0)

    def paces_of(self, experiment: str) -> dict[str, float]:
        """The paces of an experiment's models that were measured."""
        return {model: pace for (measured, model), pace in self.paces.items() if measured == experiment}


@dataclass(frozen=True)
class Amount:
    """Of one run, operations, seconds or hours: for its training, and for its evaluation."""

    train: float
    evaluate: float

    @property
    def total(self) -> float:
        """Both, one after the other."""
        return self.train + self.evaluate


Kernels = tuple[tuple[int, int], ...]  # operations, and bytes read and written, of each call


class Counted:
    """A model whose cost is counted.

    From the third on, all steps of a recurrent network cost the same, so few of them are counted.

    Attributes:
        weights: number of them.
    """

    def __init__(self, model: nn.Module) -> None:
        self.weights = weights_of(model)
        self._kernels = cache(lambda *shape: kernels(model, *shape))
        self._kept = cache(lambda *shape: kept(model, *shape))

    def operations(self, work: Pass) -> float:
        """The operations of a pass, forward."""
        return work.sequences * _of_lengths(work, lambda *shape: sum(made for made, _ in self._kernels(*shape)))

    def seconds(self, work: Pass, speed: Speed) -> float:
        """How long a pass takes by count, forward: each call as long as its operations or its bytes do, if longer."""

        def once(*shape: int) -> float:
            return sum(max(made / speed.operations, moved / speed.moved) for made, moved in self._kernels(*shape))

        return work.sequences * _of_lengths(work, once)

    def memory(self, work: Pass, sequences: int, precision: str) -> float:
        """Peak bytes of a training step of so many sequences of a pass, see `fernn.training.device`."""
        # a map that is kept is the result of one step and what the next one takes in: so a step later than operations
        return step_bytes(self.weights, _of_lengths(work, self._kept, 2), sequences, precision)


def _of_lengths(work: Pass, once: Callable[..., float], first: int = 1) -> float:
    """What one sequence of a pass costs, by what short ones do: of `first` frames and one more."""
    side, frames, predicted = work.side, work.frames, work.predicted
    if predicted is None:
        return once(side, frames)
    first = min(first, frames)
    short = once(side, first, 1)
    seen_more, made_more = once(side, first + 1, 1) - short, once(side, first, 2) - short
    return short + (frames - first) * seen_more + (predicted - 1) * made_more


Models = dict[tuple[str, str], Counted]  # by experiment and model: seed, learning rate and data flow change nothing


def models(params: Params) -> Models:
    """The models of a scale, without numbers.

    Raises:
        FernnError: if one needs a package that is not there.
    """
    found: Models = {}
    for run in all_runs(params).values():
        if (run.experiment, run.model) not in found:
            work = find_experiment(run.experiment).training(params, Layout(params.scale), run)
            with META:
                found[run.experiment, run.model] = Counted(work.inputs["model"].build().to(META).eval())
    return found


def of_run(params: Params, run: Run, models: Models, speed: Speed) -> Amount:
    """Seconds that a run of a scale takes, by count and the model's pace; at one operation a second, its operations."""
    model, work = models[run.experiment, run.model], find_experiment(run.experiment).workload(params, run)
    pace = speed.pace(run.experiment, run.model)

    def of(part: Pass) -> float:
        return pace * model.seconds(part, speed)

    epoch = TRAINING * of(work.epoch) + of(work.validation)
    return Amount(params.section(run.experiment).training.epochs * epoch, sum(map(of, work.evaluation)))


def memory_of(params: Params, run: Run, models: Models) -> float:
    """Peak bytes of a training step of a run; where `micro_batch` is auto, of a whole batch."""
    training = params.section(run.experiment).training
    wanted = getattr(training, "micro_batch", None)
    sequences = wanted if isinstance(wanted, int) else training.batch
    epoch = find_experiment(run.experiment).workload(params, run).epoch
    return models[run.experiment, run.model].memory(epoch, min(sequences, training.batch), training.precision)


def kernels(model: nn.Module, side: int, frames: int, *predicted: int) -> Kernels:
    """Count one sequence, forward, call by call.

    Args:
        model: on the meta device.
        side: of a frame in pixels.
        frames: taken in.
        predicted: by a predictor, the number of frames that it makes.
    """
    device = next(model.parameters()).device
    with torch.no_grad(), _Calls() as calls:
        model(torch.empty(1, frames, 1, side, side, device=device), *predicted)
    return tuple(calls.found)


class _Calls(TorchDispatchMode):
    """Notes the operations and bytes of each call that reaches a kernel of the device."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[int, int]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        view = any(value.alias_info and not value.alias_info.is_write for value in func._schema.returns)
        if not view and func._overloadpacket.__name__ not in _STILL:
            tensors = (each for each in tree_leaves((args, kwargs, result)) if isinstance(each, Tensor))
            moved = sum(each.numel() * each.element_size() for each in tensors)
            operations = flop_registry.get(func._overloadpacket)
            made = operations(*args, **(kwargs or {}), out_val=result) if operations else 0
            self.found.append((made, moved))
        return result
