"""`fernn plan`: jobs, hours, disk and the longest path of a scale, before they are spent."""

import shutil
from itertools import chain
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fernn.experiments.kth.experiment import EXPERIMENT as KTH
from fernn.experiments.kth.experiment import SEQUENCES, STANDIN_SEQUENCES
from fernn.layout import Layout
from fernn.params import Params
from fernn.preflight.operations import Amount, Models, models, of_run
from fernn.preflight.state import State, read_state
from fernn.runs import Run, all_runs

MNIST_BYTES = 55_000_000  # the four files, unpacked
KTH_BYTES = 1_150_000_000  # the six archives
KTH_FRAMES = 290_000  # in all annotated sequences


def costs(params: Params, state: State, rate: float, models: Models) -> tuple[dict[Run, Amount], dict[str, str]]:
    """What is left to pay for each run, in hours of a GPU, and what that is known from, by experiment.

    A model that has finished a run costs what that run took; others cost their operations at the rate of the
    experiment's finished runs; where there are none, at `rate` operations per second.
    """
    operations = {run: of_run(params, run, models) for run in all_runs(params).values()}
    left: dict[Run, Amount] = {}
    known: dict[str, str] = {}
    for experiment in params.experiments:
        own = [run for run in operations if run.experiment == experiment]
        timed = {run: seconds for run in own if (seconds := state.trained.get(run))}
        speed = sum(operations[run].train for run in timed) / sum(timed.values()) if timed else rate
        for run in own:
            alike = [seconds for other, seconds in timed.items() if other.model == run.model]
            train = sum(alike) / len(alike) if alike else operations[run].train / speed
            train *= 1 - state.epochs.get(run, 0) / params.section(experiment).training.epochs
            tests = [s for other, s in state.evaluated.items() if (other.model, other.flow) == (run.model, run.flow)]
            evaluate = sum(tests) / len(tests) if tests else operations[run].evaluate / speed
            left[run] = Amount(
                0.0 if run in state.trained else train / 3600, 0.0 if run in state.evaluated else evaluate / 3600
            )
        others = {run.model for run in own} - {run.model for run in timed}
        known[experiment] = f"counted operations at {rate / 1e12:g} tera-operations per second"
        if timed:
            known[experiment] = f"measured: {len(timed)} finished runs"
            if others:
                known[experiment] += f"; {', '.join(sorted(others))}: counted operations at their speed"
    return left, known


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


def show(params: Params, layout: Layout, rate: float, console: Console) -> None:
    """Print the tables."""
    state = read_state(params, layout)
    counted = models(params)
    left, known = costs(params, state, rate, counted)
    table = Table("rule", "jobs", "done", "left", title=f"Jobs of scale {params.scale}", title_justify="left")
    for rule, done in {**state.done, "all": [*chain(*state.done.values())]}.items():
        counts = len(done), sum(done), len(done) - sum(done)
        table.add_row(rule, *map(str, counts), style="bold" if rule == "all" else None)
    console.print(table)
    if state.epochs:
        console.print(f"Under way or stopped, with a checkpoint: {len(state.epochs)} runs.")

    table = Table("experiment", "runs left", "hours left", "known from", title="GPU time", title_justify="left")
    for experiment, source in known.items():
        own = [cost for run, cost in left.items() if run.experiment == experiment and cost.train]
        hours = sum(cost.total for run, cost in left.items() if run.experiment == experiment)
        table.add_row(experiment, str(len(own)), _hours(hours), source)
    whole = sum(cost.total for cost in left.values())
    table.add_row("all", str(sum(cost.train > 0 for cost in left.values())), _hours(whole), style="bold")
    console.print(table)
    if state.devices:
        console.print(f"Measured on: {', '.join(sorted(state.devices))}.")
    if not all(source.startswith("measured") for source in known.values()):
        console.print(
            "Counted hours are a guess until the first run of an experiment has finished: --rate sets the speed "
            "that they go by."
        )
    longest = max(left, key=lambda run: left[run].total)
    console.print(
        f"Longest path, with a GPU for every run: {_hours(left[longest].total)} h, by {longest.id}.", soft_wrap=True
    )

    table = Table("folder", "GB taken", "GB in the end", title="Disk", title_justify="left")
    for name, taken, whole in disk(params, layout, counted):
        table.add_row(name, f"{taken / 1e9:.2f}", f"about {max(taken, whole) / 1e9:.2f}")
    console.print(table)
    console.print(f"Free here: {shutil.disk_usage('.').free / 1e9:.0f} GB.")


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _hours(hours: float) -> str:
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.2g}"
