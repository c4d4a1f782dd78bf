"""The records of trainings: their times, and the machines that they were made on."""

from fernn.layout import RECORD, Layout
from fernn.provenance.records import Record, read_record
from fernn.results.reading.runs import broken
from fernn.runs import Run


def read_training(layout: Layout, run: Run) -> Record:
    """The record of a training.

    Raises:
        FernnError: if there is none, or it is damaged.
    """
    path = layout.run(run.id, RECORD)
    record = read_record(path)
    if record is None:
        raise broken(path, "it is missing", layout, run, "train")
    return record


def seconds_per_step(record: Record) -> float | None:
    """The time of a step of the optimizer, its share of the validations among it; None where the record tells none."""
    steps, seconds = record.details.get("steps"), record.details.get("seconds")
    return float(seconds / steps) if steps and seconds else None


def machine(record: Record) -> str:
    """The GPU, or the processor and how many threads of it."""
    threads = record.environment["determinism"]["threads"]
    device = str(record.environment["device"])
    return device if "cuda" in record.environment else f"{device}, {threads} thread{'s' * (threads != 1)}"
