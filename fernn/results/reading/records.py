"""The records of trainings: their times, and the machines that they were made on."""

from fernn.layout import RECORD, Layout
from fernn.provenance.records import Record, read_record
from fernn.results.reading.runs import ResultFile
from fernn.runs import Run


def read_training(layout: Layout, run: Run) -> Record:
    """The record of a training.

    Raises:
        FernnError: if there is none, or it is damaged.
    """
    file = ResultFile(layout.run(run.id, RECORD), f"train {run.id} --scale {layout.scale}")
    record = read_record(file.path)
    if record is None:
        raise file.missing()
    return record


def seconds_per_step(record: Record) -> float | None:
    """The time of a step of the optimizer, its share of the validations among it; None where the record tells none."""
    steps, seconds = record.details.get("steps"), record.details.get("seconds")
    return float(seconds / steps) if steps and seconds else None


def machine(record: Record) -> str:
    """The GPU, or the processor and how many threads of it; and how many such workers shared the run, if several."""
    threads = record.environment["determinism"]["threads"]
    device = str(record.environment["device"])
    one = device if "cuda" in record.environment else f"{device}, {threads} thread{'s' * (threads != 1)}"
    return one if record.workers == 1 else f"{one}, {record.workers} workers"
