"""`fernn plan`: jobs, hours, memory, disk and the longest path of a scale, before they are spent."""

import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from fernn.experiments.kth.experiment import EXPERIMENT as KTH
from fernn.experiments.kth.experiment import SEQUENCES, STANDIN_SEQUENCES
from fernn.layout import Layout
from fernn.params import Params
from fernn.pipeline.preflight.limits import too_short, tries_of
from fernn.pipeline.preflight.measured import CORE
from fernn.pipeline.preflight.operations import Amount, Models, Speed, memory_of, models, of_run
from fernn.pipeline.preflight.sharing import Sharing
from fernn.pipeline.preflight.state import State, read_state
from fernn.runs import Run, all_runs

MNIST_BYTES = 55_000_000  # the four files, unpacked
KTH_BYTES = 1_150_000_000  # the six archives
KTH_FRAMES = 290_000  # in all annotated sequences
_BESIDES = {  # of small networks, by what they run on
    "GPU": "Of scale {scale} that says little: small networks wait for their launches.",
    "core": "What a run takes to start, some seconds, comes on top.",
}


@dataclass(frozen=True)
class Costs:
    """What runs cost, in hours of one GPU.

    Attributes:
        whole: of each run, from its start to its end.
        left: what is left of that to pay.
        known: what that is known from, by experiment.
        speed: that it was reckoned at where nothing was measured.
    """

    whole: dict[Run, Amount]
    left: dict[Run, Amount]
    known: dict[str, str]
    speed: Speed


def costs(params: Params, state: State, speed: Speed, models: Models) -> Costs:
    """What each run costs.

    A model that has finished a run costs what that run took. Others cost what they are reckoned to, at `speed` where no
    run of their experiment has finished, and else in the proportion that was found in the finished ones. What an
    evaluation costs goes by the model's own trainings in the same way.

    A CPU has a speed of its own, where runs have finished on one, or are to: no GPU is here, and none is named.
    """
    on_cpu = not state.on_gpu if state.devices else params.allow_cpu and not torch.cuda.is_available()
    if on_cpu and speed.device:
        speed = CORE
    by_kind = {_kind(run): run for run in all_runs(params).values()}
    kinds = {kind: of_run(params, run, models, speed) for kind, run in by_kind.items()}
    counted = {run: kinds[_kind(run)] for run in all_runs(params).values()}
    whole: dict[Run, Amount] = {}
    known: dict[str, str] = {}
    for experiment in params.experiments:
        own = [run for run in counted if run.experiment == experiment]
        timed = {run: seconds for run in own if (seconds := state.trained.get(run))}
        of_model = {
            model: {run: seconds for run, seconds in timed.items() if run.model == model}
            for model in {run.model for run in own}
        }
        for kind in {_kind(run) for run in own}:
            alike = of_model[kind[-1]]
            found = alike or timed
            slower = sum(found.values()) / sum(counted[other].train for other in found) if found else 1.0
            train = sum(alike.values()) / len(alike) if alike else kinds[kind].train * slower
            tests = [seconds for run, seconds in state.evaluated.items() if _kind(run) == kind]
            evaluate = sum(tests) / len(tests) if tests else kinds[kind].evaluate * slower
            whole |= {run: Amount(train / 3600, evaluate / 3600) for run in own if _kind(run) == kind}
        untimed = {run.model for run in own} - {run.model for run in timed}
        known[experiment] = _measured(timed, untimed) if timed else _reckoned(experiment, speed, untimed)
    left = {run: _left(params, state, run, cost) for run, cost in whole.items()}
    return Costs(whole, left, known, speed)


def _kind(run: Run) -> tuple[str, str, str]:
    """What the count of a run goes by: seeds and learning rates cost the same."""
    return run.experiment, run.flow, run.model


def _left(params: Params, state: State, run: Run, whole: Amount) -> Amount:
    # of more epochs than there are now: a checkpoint of other params, which is not taken up
    done = state.epochs.get(run, 0) / params.section(run.experiment).training.epochs
    to_go = 1 - done if done <= 1 else 1.0
    train = 0.0 if run in state.trained else whole.train * to_go
    return Amount(train, 0.0 if run in state.evaluated else whole.evaluate)


def _reckoned(experiment: str, speed: Speed, models: set[str]) -> str:
    if paces := speed.paces_of(experiment):
        others = models - paces.keys()
        rest = f"; {', '.join(sorted(others))}: at the middle of those" if others else ""
        return f"at the pace of {speed.device}, model by model{rest}"
    moved = f" and {speed.moved / 1e12:g} terabytes" if math.isfinite(speed.moved) else ""
    if speed.device:
        return f"counted, at the speed of {speed.device}"
    return f"counted: {speed.operations / 1e12:g} tera-operations{moved} per second"


def _measured(timed: Mapping[Run, float], others: set[str]) -> str:
    rest = f"; {', '.join(sorted(others))}: reckoned, at their speed" if others else ""
    return f"measured: {len(timed)} finished runs{rest}"


def disk(params: Params, layout: Layout, models: Models) -> list[tuple[str, int, int]]:
    """What takes room: its name, bytes that are taken, bytes that it takes in the end (counted)."""
    found = []
    if params.mnist.sources:
        found.append((params.mnist.folder, _size(Path(params.mnist.folder)), MNIST_BYTES))
    frames = 0
    if "kth" in params.experiments:
        share = 1.0
        section = KTH.section(params)
        if drawn := section.source.stand_ins:
            share = STANDIN_SEQUENCES * len(drawn.persons) * len(drawn.scenarios) / SEQUENCES * drawn.frames / 480
        else:
            found.append((section.source.folder, _size(Path(section.source.folder)), KTH_BYTES))
        frames = int(share * KTH_FRAMES * section.data.frame**2)
    # weights in four bytes each: once when a run is finished, four times more in the checkpoint until it is evaluated
    weights = (models[run.experiment, run.model].weights for run in all_runs(params).values())
    runs = sum(5 * 4 * number + 2_000_000 for number in weights)
    found.append((str(layout.base), _size(layout.base), frames + runs))
    return found


def show(params: Params, layout: Layout, speed: Speed, sharing: Sharing, console: Console) -> None:
    """Print the tables."""
    state = read_state(params, layout)
    counted = models(params)
    found = costs(params, state, speed, counted)
    left, known, unit = found.left, found.known, found.speed.unit
    table = Table("rule", "jobs", "done", "left", title=f"Jobs of scale {params.scale}", title_justify="left")
    for rule, done in {**state.done, "all": [*chain(*state.done.values())]}.items():
        counts = len(done), sum(done), len(done) - sum(done)
        table.add_row(rule, *map(str, counts), style="bold" if rule == "all" else None)
    console.print(table)
    if state.epochs:
        console.print(f"Under way or stopped, with a checkpoint: {len(state.epochs)} runs.")

    console.print(_by_model(params, found, counted))
    for experiment, source in known.items():
        console.print(f"{experiment}: {source}.", soft_wrap=True)
    if state.devices:
        console.print(f"Measured on: {', '.join(sorted(state.devices))}.")
    if not all(source.startswith("measured") for source in known.values()):
        console.print(
            f"Hours {found.speed.source} until the first run of an experiment has finished; --rate and --bandwidth "
            "count those of another GPU.",
            soft_wrap=True,
        )
        if params.allow_cpu:
            console.print(_BESIDES[unit].format(scale=params.scale), soft_wrap=True)
    shared = sharing.all(params, counted, left)
    longest = max(shared, key=lambda run: shared[run].total)
    if several := [key for key in counted if sharing.of(params, _first(found, key)) > 1]:
        console.print(_shared(params, found, counted, sharing, several))
    owned = "their GPUs" if several else f"a {unit}"
    console.print(
        f"Longest path, with {owned} for every run: {_hours(shared[longest].total)} h, by {longest.id}.",
        soft_wrap=True,
    )
    if tries := tries_of():
        for sentence in too_short(params, shared, tries):
            console.print(sentence, soft_wrap=True)

    table = Table("folder", "GB taken", "GB in the end", title="Disk", title_justify="left")
    for name, taken, whole in disk(params, layout, counted):
        table.add_row(name, f"{taken / 1e9:.2f}", f"about {max(taken, whole) / 1e9:.2f}")
    console.print(table)
    console.print(f"Free here: {shutil.disk_usage('.').free / 1e9:.0f} GB.")


def _by_model(params: Params, found: Costs, counted: Models) -> Table:
    """Hours and memory; of the runs of a model, the longest training and the longest evaluation."""
    title = f"A {found.speed.unit}: hours of the runs left, of one training, of one evaluation"
    table = Table("experiment", "model", title=title, title_justify="left")
    for column in ("runs", "hours", "train", "evaluate", "GiB"):
        table.add_column(column, justify="right")
    for experiment, model in counted:
        own = [run for run in found.whole if (run.experiment, run.model) == (experiment, model)]
        hours = [sum(found.left[run].total for run in own)]
        hours += [max(getattr(found.whole[run], part) for run in own) for part in ("train", "evaluate")]
        memory = f"{memory_of(params, own[0], counted) / 2**30:.1f}"
        table.add_row(experiment, model, _runs(found, own), *map(_hours, hours), memory)
    total = sum(cost.total for cost in found.left.values())
    table.add_row("all", "", _runs(found, [*found.left]), _hours(total), style="bold")
    return table


def _shared(params: Params, found: Costs, counted: Models, sharing: Sharing, several: list[tuple[str, str]]) -> Table:
    """What it brings that GPUs share a run."""
    title = f"Shared at {sharing.link / 1e9:g} GB per second: hours of one training, by count"
    table = Table("experiment", "model", title=title, title_justify="left")
    for column in ("GPUs", "alone", "shared", "times as fast"):
        table.add_column(column, justify="right")
    for key in several:
        run = _first(found, key)
        alone = found.whole[run]
        shared = sharing.shared(params, run, counted, alone)
        hours = map(_hours, (alone.train, shared.train))
        table.add_row(*key, str(sharing.of(params, run)), *hours, f"{alone.train / shared.train:.2g}")
    return table


def _first(found: Costs, key: tuple[str, str]) -> Run:
    """A run of an experiment's model."""
    return next(run for run in found.whole if (run.experiment, run.model) == key)


def _runs(found: Costs, runs: list[Run]) -> str:
    return str(sum(found.left[run].train > 0 for run in runs))


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _hours(hours: float) -> str:
    if 0 < hours < 0.01:
        return "< 0.01"
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.2g}"
