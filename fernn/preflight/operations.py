"""Additions and multiplications of a run: what it costs before anything has run.

torch counts them while the real model runs on the meta device, which has shapes and no numbers.
"""

from dataclasses import dataclass
from functools import cache

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from fernn.experiments import find_experiment
from fernn.experiments.experiment import Pass
from fernn.layout import Layout
from fernn.params import Params
from fernn.runs import Run, all_runs

META = torch.device("meta")
# Forward once, and backward for weights and for inputs; the models' own are 2.94 to 3.13. torch counts the gradient of
# a grouped convolution's weights once for each group too often, so it is not asked.
TRAINING = 3


@dataclass(frozen=True)
class Amount:
    """Of one run, operations or hours: for its training, and for its evaluation."""

    train: float
    evaluate: float

    @property
    def total(self) -> float:
        """Both, one after the other."""
        return self.train + self.evaluate


class Counted:
    """A model whose operations are counted.

    From the third on, all steps of a recurrent network cost the same, so few of them are counted.

    Attributes:
        weights: number of them.
    """

    def __init__(self, model: nn.Module) -> None:
        self.weights = sum(weight.numel() for weight in model.parameters())
        self._count = cache(lambda *shape: count(model, *shape))

    def __call__(self, work: Pass) -> float:
        """The operations of a pass, forward."""
        side, frames, predicted = work.side, work.frames, work.predicted
        if predicted is None:
            once = self._count(side, frames)
        else:
            two = self._count(side, 1, 1)
            seen_more, made_more = self._count(side, 2, 1) - two, self._count(side, 1, 2) - two
            once = two + (frames - 1) * seen_more + (predicted - 1) * made_more
        return float(work.sequences * once)


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
                found[run.experiment, run.model] = Counted(work.inputs.model.build().to(META).eval())
    return found


def of_run(params: Params, run: Run, models: Models) -> Amount:
    """Count a run of a scale."""
    of, work = models[run.experiment, run.model], find_experiment(run.experiment).workload(params, run)
    epoch = TRAINING * of(work.epoch) + of(work.validation)
    return Amount(params.section(run.experiment).training.epochs * epoch, sum(map(of, work.evaluation)))


def count(model: nn.Module, side: int, frames: int, *predicted: int) -> int:
    """Count one sequence, forward.

    Args:
        model: on the meta device.
        side: of a frame in pixels.
        frames: taken in.
        predicted: by a predictor, the number of frames that it makes.
    """
    device = next(model.parameters()).device
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.empty(1, frames, 1, side, side, device=device), *predicted)
    return counter.get_total_flops()
