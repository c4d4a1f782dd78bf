"""What the runs cost: parameters, and the time of a training step by their records.

Times are those of the machine that trained, so these files, unlike all other tables, are not the same bytes elsewhere.
"""

from collections.abc import Sequence

from fernn.layout import COST, Layout
from fernn.results.names import fixed
from fernn.results.plain import as_csv, pipes
from fernn.results.reading.records import machine, read_training, seconds_per_step
from fernn.results.reading.runs import read_parameters
from fernn.results.reading.selection import Selection
from fernn.results.reading.summary import summarize

HEADER = ("experiment", "model", "flow", "parameters", "step_seconds", "std", "n", "steps", "hours", "device")
HEADS = ("Data", "Model", "Parameters", "Flow", "Step (ms)", "n", "Steps", "Hours", "Trained on")
READING = """\
A step: a batch forward and backward, clipping and Adam, and its share of the validations. ± is the sample standard
deviation over the n runs of all seeds and learning rates; hours are those of all of them, and of all GPUs that shared
one, added up. What else the machine did at that time is in it.
"""


def cost_texts(scale: str, layout: Layout, selections: Sequence[Selection]) -> dict[str, str]:
    """The files, by their names: a row for each model of each flow, blank where a record tells no time.

    Raises:
        FernnError: if a record or the results.csv of a run is malformed.
    """
    rows, lines = [], []
    for of in selections:
        runs = [run for tried in of.candidates for run in tried.runs]
        parameters = read_parameters(layout, runs[0])
        timed = [record for record in (read_training(layout, run) for run in runs) if seconds_per_step(record)]
        cells: list[object] = [""] * 5
        shown = [""] * 5
        if timed:
            each = summarize(filter(None, map(seconds_per_step, timed)))
            steps = max(record.details["steps"] for record in timed)
            hours = sum(record.details["seconds"] * record.workers for record in timed) / 3600
            on = ", ".join(sorted({machine(record) for record in timed}))
            cells = [each.std, each.n, steps, hours, on]
            milliseconds = fixed(1000 * each.mean, None if each.std is None else 1000 * each.std, 1)
            shown = [milliseconds, str(each.n), f"{steps:,}", f"{hours:.2g}", on]
        rows.append([of.experiment, of.model, of.flow, parameters, each.mean if timed else "", *cells])
        lines.append([of.experiment, of.model, f"{parameters:,}", of.flow, *shown])
    title = f"# Cost of the runs, scale {scale}"
    return dict(zip(COST, (as_csv(HEADER, rows), f"{title}\n\n{pipes(HEADS, lines)}\n\n{READING}"), strict=True))
