"""What the runs cost: parameters, and the time of a training step by their records.

Times are those of the machine that trained, so these files, unlike all other tables, are not the same bytes elsewhere.
"""

from collections.abc import Sequence

from fernn.layout import COST, RECORD, Layout
from fernn.provenance.records import Record, read_record
from fernn.results.names import fixed
from fernn.results.reading.runs import read_parameters
from fernn.results.reading.selection import Selection
from fernn.results.reading.summary import summarize
from fernn.results.plain import as_csv, pipes

HEADER = ("experiment", "model", "flow", "parameters", "step_seconds", "std", "n", "steps", "hours", "device")
HEADS = ("Data", "Model", "Parameters", "Flow", "Step (ms)", "n", "Steps", "Hours", "Trained on")
READING = """\
A step: a batch forward and backward, clipping and Adam, and its share of the validations. ± is the sample standard
deviation over the n runs of all seeds and learning rates; hours are those of all of them. What else the machine did at
that time is in it.
"""


def cost_texts(scale: str, layout: Layout, selections: Sequence[Selection]) -> dict[str, str]:
    """The files, by their names: a row for each model of each flow, blank where a record tells no time.

    Raises:
        FernnError: if a record or the evaluation.json of a run is malformed.
    """
    rows, lines = [], []
    for of in selections:
        runs = [run for tried in of.candidates for run in tried.runs]
        parameters = read_parameters(layout, runs[0])
        records = [record for run in runs if (record := read_record(layout.run(run.id, RECORD)))]
        timed = [record for record in records if record.details.get("steps")]
        cells: list[object] = [""] * 5
        shown = [""] * 5
        if timed:
            each = summarize(record.details["seconds"] / record.details["steps"] for record in timed)
            steps = max(record.details["steps"] for record in timed)
            hours = sum(record.details["seconds"] for record in timed) / 3600
            on = ", ".join(sorted({_machine(record) for record in timed}))
            cells = [each.std, each.n, steps, hours, on]
            milliseconds = fixed(1000 * each.mean, None if each.std is None else 1000 * each.std, 1)
            shown = [milliseconds, str(each.n), f"{steps:,}", f"{hours:.2g}", on]
        rows.append([of.experiment, of.model, of.flow, parameters, each.mean if timed else "", *cells])
        lines.append([of.experiment, of.model, f"{parameters:,}", of.flow, *shown])
    title = f"# Cost of the runs, scale {scale}"
    return dict(zip(COST, (as_csv(HEADER, rows), f"{title}\n\n{pipes(HEADS, lines)}\n\n{READING}"), strict=True))


def _machine(record: Record) -> str:
    threads = record.environment["determinism"]["threads"]
    device = str(record.environment["device"])
    return device if "cuda" in record.environment else f"{device}, {threads} thread{'s' * (threads != 1)}"
