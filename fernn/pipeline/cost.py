"""`fernn plan`: jobs, hours, memory, disk and the longest path of a scale, before they are spent.

A model that has finished runs costs what they took. Otherwise the cost is the model's FLOPs at a measured rate: that of
the step in measured.yaml, or `--rate`. FLOPs and memory are counted on torch's meta device, where nothing is computed.
"""

import csv
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from math import ceil
from pathlib import Path
from statistics import mean, median

import torch
import yaml
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from fernn.errors import FernnError
from fernn.experiment import Pass
from fernn.experiments import find_experiment
from fernn.layout import EVALUATION, RECORD, Layout
from fernn.params import Params
from fernn.pipeline.jobs import Jobs
from fernn.provenance.records import read_record
from fernn.runs import Run, all_runs, gpus_of
from fernn.training.device import kept, step_bytes, weights_of

META = torch.device("meta")
# FLOPs of a training step over those of its forward pass: the gradients of weights and of inputs cost one forward pass
# each (measured 2.94 to 3.13), without what the steerable convolution recomputes in its backward pass.
TRAINING = 3
MNIST_BYTES = 55_000_000  # the four files, unpacked
PROFILE = Path("slurm/config.yaml")  # for clusters
STAGES = ("standins", "dataset", "train", "evaluate", "tables", "figures", "report")


@dataclass
class State:
    """The runs of a scale that are finished or have a checkpoint."""

    trained: dict[Run, float | None] = field(default_factory=dict)  # seconds, over all ranks; None: diverged
    evaluated: dict[Run, float] = field(default_factory=dict)  # seconds
    epochs: dict[Run, int] = field(default_factory=dict)  # finished epochs in the checkpoint of an unfinished training
    devices: set[str] = field(default_factory=set)  # that trained the finished runs
    on_gpu: bool = False  # whether one of those is a GPU


def done_jobs(jobs: Jobs) -> dict[str, list[bool]]:
    """By rule, whether each job has all its files. Outdated files count: `snakemake -n` compares them."""
    files = {stage: [(*job.writes, job.record) for job in jobs.of(stage).values()] for stage in STAGES}
    fetched = [path for path in jobs.sources() if not jobs.carried(path)]
    folders = dict.fromkeys(path.parent for path in fetched)  # one job downloads a folder
    files["fetch"] = [tuple(path for path in fetched if path.parent == folder) for folder in folders]
    return {rule: [all(path.exists() for path in paths) for paths in made] for rule, made in files.items()}


def read_runs(jobs: Jobs) -> State:
    """Read the times and checkpoints of trainings and evaluations."""
    state = State()
    for run in jobs.runs.values():
        _read_training(state, jobs.layout, run)
        if jobs.layout.evaluation(run.id, EVALUATION).exists() and (
            seconds := _benchmark(jobs.layout, "evaluate", run)
        ):
            state.evaluated[run] = seconds
    return state


def _read_training(state: State, layout: Layout, run: Run) -> None:
    if not (file := layout.run(run.id, RECORD)).exists():
        with suppress(OSError, ValueError, KeyError, MemoryError, OverflowError):  # none, or no whole checkpoint
            state.epochs[run] = _epoch_of(layout.unfinished(run.id) / "checkpoint.safetensors")
        return
    with suppress(FernnError, KeyError):  # a record of another version: Snakemake reruns the job
        if (record := read_record(file)) is None:  # moved aside in the meantime
            return
        # Snakemake's time includes the start of the process, but covers only the last part of a resumed training
        seconds = max(record.details["seconds"], _benchmark(layout, "train", run) or 0.0)
        if record.details.get("diverged"):
            state.trained[run] = None
        elif seconds:
            state.trained[run] = seconds * record.workers
            state.devices.add(record.environment["device"])
            state.on_gpu |= "cuda" in record.environment


def _epoch_of(checkpoint: Path) -> int:
    """Finished epochs in a checkpoint; only its header is read."""
    with open(checkpoint, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    epoch: int = json.loads(header["__metadata__"]["fernn"])["epoch"]
    return epoch


def _benchmark(layout: Layout, rule: str, run: Run) -> float | None:
    """Seconds of a job, measured by Snakemake."""
    with suppress(OSError, ValueError, KeyError), open(layout.base / "benchmarks" / rule / f"{run.id}.tsv") as file:
        (row,) = csv.DictReader(file, delimiter="\t")
        return float(row["s"])
    return None


class Counted:
    """FLOPs and memory of a model on the meta device.

    From the third frame on, all steps of a recurrent network cost the same, so only short sequences are counted.
    """

    def __init__(self, model: nn.Module) -> None:
        self.weights = weights_of(model)
        self._flops = cache(lambda *shape: flops_of(model, *shape))
        self._kept = cache(lambda *shape: kept(model, *shape))

    def flops(self, work: Pass) -> float:
        """FLOPs of a forward pass."""
        return work.sequences * _extrapolated(work, self._flops)

    def memory(self, work: Pass, sequences: int, precision: str) -> float:
        """Peak bytes of a training step (`fernn.training.device.step_bytes`) with that number of sequences."""
        # a saved map is the output of one step and the input of the next: constant from one step later on
        return step_bytes(self.weights, _extrapolated(work, self._kept, 2), sequences, precision)


def flops_of(model: nn.Module, side: int, frames: int, *predicted: int) -> int:
    """FLOPs of one sequence of frames of `side` x `side` pixels in a forward pass, as torch counts them."""
    device = next(model.parameters()).device
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.empty(1, frames, 1, side, side, device=device), *predicted)
    return int(counter.get_total_flops())


def _extrapolated(work: Pass, count: Callable[..., float], first: int = 1) -> float:
    """The count for one sequence of a pass, from sequences of `first` frames and one more."""
    side, frames, predicted = work.side, work.frames, work.predicted
    if predicted is None:
        return count(side, frames)
    first = min(first, frames)
    short = count(side, first, 1)
    seen_more, predicted_more = count(side, first + 1, 1) - short, count(side, first, 2) - short
    return short + (frames - first) * seen_more + (predicted - 1) * predicted_more


Models = dict[str, Counted]  # by "experiment/model": seed, learning rate and data flow change nothing


def models(params: Params) -> Models:
    """The models of a scale, on the meta device.

    Raises:
        FernnError: if a package of one is not installed.
    """
    found: Models = {}
    for name, run in {name_of(run): run for run in all_runs(params).values()}.items():
        work = find_experiment(run.experiment).training(params, Layout(params.scale), run)
        model = work.inputs["model"]
        device = torch.device("cpu") if model.arguments.get("mixing") else META  # which has no `nonzero`
        with device:
            found[name] = Counted(model.build().to(device).eval())
    return found


def name_of(run: Run) -> str:
    """The experiment and model of a run."""
    return f"{run.experiment}/{run.model}"


@dataclass(frozen=True)
class Amount:
    """FLOPs or seconds of one run: of its training, and of its evaluation."""

    train: float
    evaluate: float

    @property
    def total(self) -> float:
        """The sum of both."""
        return self.train + self.evaluate

    def __truediv__(self, rate: float) -> "Amount":
        """Seconds of these FLOPs at a rate in FLOP/s."""
        return Amount(self.train / rate, self.evaluate / rate)


def flops(params: Params, run: Run, models: Models) -> Amount:
    """FLOPs of a run."""
    count, work = models[name_of(run)].flops, find_experiment(run.experiment).workload(params, run)
    epoch = TRAINING * count(work.epoch) + count(work.validation)
    return Amount(params.section(run.experiment).training.epochs * epoch, sum(map(count, work.evaluation)))


def memory_of(params: Params, run: Run, models: Models) -> float:
    """Peak bytes of a training step of a run; where `micro_batch` is auto, of a whole batch."""
    training = params.section(run.experiment).training
    wanted = getattr(training, "micro_batch", None)
    sequences = min(wanted, training.batch) if isinstance(wanted, int) else training.batch
    epoch = find_experiment(run.experiment).workload(params, run).epoch
    return models[name_of(run)].memory(epoch, sequences, training.precision)


@dataclass(frozen=True)
class Rates:
    """How fast a device trains where no run has finished yet."""

    unit: str  # "GPU" or "core"
    source: str  # what the hours are based on
    of_model: Mapping[str, float]  # measured FLOP/s by "experiment/model"
    default: float  # FLOP/s of models of experiments without a measured one

    def of(self, name: str) -> float:
        """FLOP/s of a model: measured, or the median of its experiment's models, or the default."""
        experiment = name.partition("/")[0]
        own = [rate for model, rate in self.of_model.items() if model.partition("/")[0] == experiment]
        return self.of_model.get(name, median(own) if own else self.default)


def rates_of(params: Params, state: State, rate: float | None = None) -> Rates:
    """`rate` in TFLOP/s, or the measured rates of an H200, or of a CPU core if that is what trains."""
    if rate is not None:
        return Rates("GPU", f"FLOPs at {rate:g} TFLOP/s", {}, rate * 1e12)
    on_cpu = not state.on_gpu if state.devices else params.allow_cpu and not torch.cuda.is_available()
    tables = yaml.safe_load(Path(__file__).with_name("measured.yaml").read_text(encoding="utf-8"))
    table = tables["core" if on_cpu else "gpu"]
    of_model = {name: 1e12 * tflop / seconds for name, (seconds, tflop) in table["steps"].items()}
    return Rates("core" if on_cpu else "GPU", table["source"], of_model, median(of_model.values()))


@dataclass(frozen=True)
class Costs:
    """Seconds of each run on one GPU, or on one CPU core."""

    whole: dict[Run, Amount]  # from its start to its end
    left: dict[Run, Amount]  # not done yet
    source: dict[str, str]  # what they are based on, by experiment


def costs(params: Params, state: State, rates: Rates, models: Models) -> Costs:
    """Estimate the seconds of each run.

    A model with finished runs costs what they took. Other models cost their FLOPs at `rates`, scaled by the ratio of
    measured to estimated seconds in the finished runs of their experiment or, if it has none, of all experiments.
    """
    kinds: dict[tuple[str, str, str], list[Run]] = {}
    for run in all_runs(params).values():
        kinds.setdefault(_kind(run), []).append(run)
    estimated = {kind: flops(params, run, models) / rates.of(name_of(run)) for kind, (run, *_) in kinds.items()}
    timed = {run: seconds for run, seconds in state.trained.items() if seconds}
    whole: dict[Run, Amount] = {}
    for kind, own in kinds.items():
        same = {run: seconds for run, seconds in timed.items() if run.experiment == kind[0]}
        alike = {run: seconds for run, seconds in same.items() if run.model == kind[2]}
        found = alike or same or timed
        slower = sum(found.values()) / sum(estimated[_kind(run)].train for run in found) if found else 1.0
        tests = [seconds for run, seconds in state.evaluated.items() if _kind(run) == kind]
        train = mean(alike.values()) if alike else slower * estimated[kind].train
        whole |= dict.fromkeys(own, Amount(train, mean(tests) if tests else slower * estimated[kind].evaluate))
    source = {
        name: _source(rates, [run for run in whole if run.experiment == name], timed) for name in params.experiments
    }
    return Costs(whole, {run: _left(params, state, run, cost) for run, cost in whole.items()}, source)


def _kind(run: Run) -> tuple[str, str, str]:
    """Seeds and learning rates change no cost."""
    return run.experiment, run.flow, run.model


def _left(params: Params, state: State, run: Run, whole: Amount) -> Amount:
    done = state.epochs.get(run, 0) / params.section(run.experiment).training.epochs
    share = 1 - done if done <= 1 else 1.0  # a checkpoint with more epochs belongs to other params: it is not resumed
    train = 0.0 if run in state.trained else whole.train * share
    return Amount(train, 0.0 if run in state.evaluated else whole.evaluate)


def _source(rates: Rates, runs: list[Run], timed: Mapping[Run, float]) -> str:
    models, finished = {run.model for run in runs}, [run for run in runs if run in timed]
    if finished:
        others = ", ".join(sorted(models - {run.model for run in finished}))
        return f"{len(finished)} finished runs" + (f"; {others}: by FLOPs, scaled to those" if others else "")
    others = ", ".join(sorted({run.model for run in runs if rates.of_model and name_of(run) not in rates.of_model}))
    median_rate = f"; {others}: by FLOPs, at the median rate of those" if others else ""
    return rates.source + median_rate + (", scaled to the finished runs of other experiments" if timed else "")


def shared_by(params: Params, run: Run, gpus: int | None) -> int:
    """GPUs that share each batch of a run: `gpus`, or as the params say; each computes at least one sequence."""
    return min(gpus or max(gpus_of(params, run), 1), params.section(run.experiment).training.batch)


def disk(params: Params, layout: Layout, models: Models) -> list[tuple[str, int, int]]:
    """Each folder, its bytes now, and its bytes when the scale is finished (about)."""
    # weights in float32: once when a run is finished, four times more in the checkpoint until it is evaluated
    results = sum(20 * models[name_of(run)].weights + 2_000_000 for run in all_runs(params).values())
    final = Counter({str(layout.base): results})
    if params.mnist.sources:
        final[params.mnist.folder] = MNIST_BYTES
    for name in params.experiments:
        final.update(find_experiment(name).disk(params, layout))
    taken = {name: sum(path.stat().st_size for path in Path(name).rglob("*") if path.is_file()) for name in final}
    return [(name, taken[name], max(taken[name], size)) for name, size in final.items()]


def retries_of(profile: Path = PROFILE) -> int | None:
    """How often the profile for clusters lets Snakemake restart a failed job; None without that profile."""
    with suppress(FileNotFoundError):
        return int(yaml.safe_load(profile.read_text(encoding="utf-8")).get("retries", 0))
    return None


def too_short(params: Params, left: Mapping[Run, Amount], retries: int) -> Iterator[str]:
    """A sentence for each time limit of Slurm's jobs that the longest run (`left`, in seconds) exceeds.

    For Snakemake a job that reached its limit has failed. A restarted training resumes from its checkpoint, so all
    tries count together; an evaluation starts from the beginning, so one try must suffice.
    """
    longest = max(left, key=lambda run: left[run].train)
    hours, limit, tries = left[longest].train / 3600, params.resources.train.runtime / 60, retries + 1
    if hours > tries * limit:
        yield (
            f"With --profile slurm, training {longest.id} does not end: it takes {hours:.3g} h, and {tries} tries of "
            f"{limit:g} h end after {tries * limit:g} h. Set retries to {ceil(hours / limit)} in {PROFILE}, or "
            "raise resources.train.runtime in params.yaml."
        )
    longest = max(left, key=lambda run: left[run].evaluate)
    hours, limit = left[longest].evaluate / 3600, params.resources.evaluate.runtime / 60
    if hours > limit:
        yield (
            f"With --profile slurm, evaluating {longest.id} does not end: it takes {hours:.2g} h, its limit is "
            f"{limit:g} h, and a retry starts over. Raise resources.evaluate.runtime in params.yaml to "
            f"{ceil(9 * hours) * 10} minutes."
        )


def show(params: Params, layout: Layout, rate: float | None, gpus: int | None, console: Console) -> None:
    """Print the plan of a scale, for GPUs of `rate` TFLOP/s (None: measured rates) of which `gpus` share each run."""
    jobs = Jobs(params, layout)
    state, counted = read_runs(jobs), models(params)
    rates = rates_of(params, state, rate)
    found = costs(params, state, rates, counted)
    table = Table("rule", "jobs", "done", "left", title=f"Jobs of scale {params.scale}", title_justify="left")
    finished = done_jobs(jobs)
    for rule, done in {**finished, "all": [*chain(*finished.values())]}.items():
        counts = len(done), sum(done), len(done) - sum(done)
        table.add_row(rule, *map(str, counts), style="bold" if rule == "all" else None)
    console.print(table)
    if state.epochs:
        console.print(f"Unfinished trainings with a checkpoint: {len(state.epochs)}.")
    shared = {run: shared_by(params, run, gpus) for run in found.left}
    console.print(_by_model(params, found, counted, rates.unit, shared))
    for experiment, source in found.source.items():
        console.print(f"{experiment}: {source}.", soft_wrap=True)
    if state.devices:
        console.print(f"Measured on: {', '.join(sorted(state.devices))}.")
    if not all(any(state.trained.get(run) for run in found.left if run.experiment == name) for name in found.source):
        console.print(
            "Hours without finished runs are estimates; --rate takes the TFLOP/s of another GPU. Small networks take "
            "longer on a GPU, where they wait for kernel launches, and each job takes some seconds to start.",
            soft_wrap=True,
        )
    left = {run: Amount(amount.train / shared[run], amount.evaluate) for run, amount in found.left.items()}
    longest = max(left, key=lambda run: left[run].total)
    several = max(shared.values()) > 1
    if several:
        console.print("GPUs that share a run divide its hours of training; exchanging gradients is not counted.")
    console.print(
        f"Longest path, with {'its GPUs' if several else f'a {rates.unit}'} for every run: "
        f"{_hours(left[longest].total)} h, by {longest.id}.",
        soft_wrap=True,
    )
    if (retries := retries_of()) is not None:
        for sentence in too_short(params, left, retries):
            console.print(sentence, soft_wrap=True)
    table = Table("folder", "GB taken", "GB in the end", title="Disk", title_justify="left")
    for name, taken, whole in disk(params, layout, counted):
        table.add_row(name, f"{taken / 1e9:.2f}", f"about {whole / 1e9:.2f}")
    console.print(table)
    console.print(f"Free here: {shutil.disk_usage('.').free / 1e9:.0f} GB.")


def _by_model(params: Params, found: Costs, models: Models, unit: str, shared: Mapping[Run, int]) -> Table:
    """By model: hours left, longest training and evaluation, memory of a GPU, and GPUs of a run."""
    title = f"A {unit}: hours of the runs left, of one training, of one evaluation"
    table = Table("experiment", "model", title=title, title_justify="left")
    for column in ("runs", "hours", "train", "evaluate", "GiB", "GPUs"):
        table.add_column(column, justify="right")
    for name in models:
        own = [run for run in found.whole if name_of(run) == name]
        hours = [sum(found.left[run].total for run in own)]
        hours += [max(getattr(found.whole[run], part) for run in own) for part in ("train", "evaluate")]
        memory = f"{memory_of(params, own[0], models) / 2**30:.1f}"
        runs = str(sum(found.left[run].train > 0 for run in own))
        table.add_row(*name.split("/"), runs, *map(_hours, hours), memory, str(shared[own[0]]))
    runs = str(sum(amount.train > 0 for amount in found.left.values()))
    table.add_row("all", "", runs, _hours(sum(amount.total for amount in found.left.values())), style="bold")
    return table


def _hours(seconds: float) -> str:
    hours = seconds / 3600
    if 0 < hours < 0.01:
        return "< 0.01"
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.2g}"
