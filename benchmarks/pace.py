"""Throughput of each model of a scale: the time of a training step and the hours of a training."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from benchmarks.report import Options, Table, duration, size
from benchmarks.timing import alternate, peak, take_step
from fernn.experiment import Pass
from fernn.experiments import find_experiment
from fernn.layout import Layout
from fernn.models.precision import use_precision
from fernn.models.storage import channels_last
from fernn.pipeline.cost import Models, memory_of, models, name_of
from fernn.runs import Run, all_runs
from fernn.training.device import sequences_at_a_time
from fernn.training.tasks import PredictionTask, RecognitionTask

COLUMNS = ["model", "batch", "micro-batch", "time per step", "steps", "hours per training", "peak memory", "estimate"]


def measure(options: Options) -> list[Table]:
    """A table of all models, at the sizes of the scale; none on a CPU, unless they are small."""
    if options.device.type != "cuda" and options.params.scale != "quick":
        return []
    counted, rows = models(options.params), {}
    for run in all_runs(options.params).values():
        if name_of(run) not in rows:
            options.say(f"pace: {run.experiment}, {run.model}")
            rows[name_of(run)] = _row(options, run, counted)
    text = (
        "A training step of `fernn train`, in the precision of params.yaml, with the micro-batch that `auto` selects; "
        "without data loading. Hours cover all training steps, without validations. Peak memory excludes the model and "
        "Adam's moments; the estimate of `fernn plan` includes them."
    )
    return [Table(f"Scale {options.params.scale}: throughput of each model", text, COLUMNS, [*rows.values()])]


def _row(options: Options, run: Run, counted: Models) -> list[str]:
    step = Step(options, run)
    step()  # Adam's moments are there from now on
    most = peak(step, options.device)
    seconds = alternate({run.model: step}, options.rounds, options.device)[run.model].median
    use_precision("float32")
    steps = step.settings.epochs * step.task.batches
    at_a_time, batch = step.task.micro_batch or step.task.batch_size, step.task.batch_size
    held = [size(most), size(round(memory_of(options.params, run, counted) * at_a_time / batch))]
    hours = f"{steps * seconds / 3600:.2f}"
    return [f"{run.experiment}, {run.model}", str(batch), str(at_a_time), duration(seconds), str(steps), hours, *held]


@dataclass
class Step:
    """A training step of a run, on frames of noise."""

    options: Options
    run: Run

    def __post_init__(self) -> None:
        params, device = self.options.params, self.options.device
        experiment = find_experiment(self.run.experiment)
        self.settings: Any = params.section(self.run.experiment).training
        build = experiment.training(params, Layout(params.scale), self.run).inputs["model"].build
        torch.manual_seed(0)
        self.model: nn.Module = channels_last(build().to(device))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-6, fused=True)
        self.task: Any = self._task(experiment.workload(params, self.run).epoch, build)
        self.batch = self.task.batch(1, 0)

    def _task(self, epoch: Pass, build: Any) -> PredictionTask | RecognitionTask:
        batch, device = min(self.settings.batch, epoch.sequences), self.options.device
        frames = torch.rand(batch, epoch.frames + (epoch.predicted or 0), 1, epoch.side, epoch.side, device=device)
        if epoch.predicted is None:
            data = frames, torch.zeros(batch, dtype=torch.long, device=device)
            return RecognitionTask(lambda *_: data, lambda *_: data, epoch.sequences, batch, batch)
        lengths = epoch.side, epoch.frames, epoch.predicted
        wanted, precision = self.settings.micro_batch, self.settings.precision
        at_a_time = sequences_at_a_time(wanted, batch, build, lengths, precision, device)
        make = lambda *_: frames  # noqa: E731
        return PredictionTask(make, make, epoch.sequences, batch, batch, epoch.frames, micro_batch=at_a_time)

    def __call__(self) -> None:
        """Take it."""
        settings = self.settings
        take_step(self.model, self.task, self.batch, self.optimizer, settings.precision, settings.clip_norm)
