"""What is counted on paper is what torch counts while the real models run."""

import importlib

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from fernn.outlook.operations import TRAINING, forward, of_run
from fernn.params import load_params
from fernn.runs import all_runs
from fernn.stages import plan_of

PARAMS = load_params("params.yaml", "quick")
RUNS = {(run.experiment, run.model): run for run in all_runs(PARAMS).values()}


def counted(run) -> float:
    """By torch, of one sequence; KTH's batch norm needs two."""
    inputs = plan_of(run.experiment).train_inputs(PARAMS, run)
    model = importlib.import_module(f"fernn.experiments.{run.experiment}.train").build(inputs, torch.device("cpu"))
    side = getattr(PARAMS, run.experiment).data.frame
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        if run.experiment == "kth":
            model(torch.zeros(2, inputs.frames, 1, side, side))
            return counter.get_total_flops() / 2
        model(torch.zeros(1, inputs.seen, 1, side, side), inputs.predicted)
    return counter.get_total_flops()


@pytest.mark.parametrize("name", RUNS, ids="-".join)
def test_forward(name) -> None:
    run = RUNS[name]
    data = getattr(PARAMS, run.experiment).data
    seen, predicted = (data.frames, 0) if run.experiment == "kth" else (data.seen, data.predicted)
    assert forward(PARAMS, run, seen, predicted) == pytest.approx(counted(run), rel=0.25)


def test_training_counts_every_epoch_forward_and_backward() -> None:
    run, data = RUNS["translation", "FERNN-V2T"], PARAMS.translation.data
    once = forward(PARAMS, run, data.seen, data.predicted)
    assert of_run(PARAMS, run).train == TRAINING * once * data.train * PARAMS.translation.training.epochs
    assert of_run(PARAMS, run).evaluate > once * data.test
