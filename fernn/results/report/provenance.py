"""Where results come from: data, runs, and the machines and versions that made them."""

import json
from typing import Any

from fernn.layout import RECORD, Layout
from fernn.results.report.numbers import Document, Number, relative

UNSHOWN = ("code", "carried", "stand_ins", "motion")  # of a data set's inputs, in the short list
UNCOMPARED = ("host", "commit", "determinism")  # of an environment: of each run, or told elsewhere


def datasets(layout: Layout, inputs: dict[str, Any]) -> list[dict[str, Any]]:
    """The parts of data sets, with what decides them; each number stands in the part's record."""
    found = []
    for name, values in inputs["datasets"].items():
        record = relative(layout.report(), layout.dataset_record(*name.split("/")))
        shown = {key: value for key, value in values.items() if key not in UNSHOWN}
        found.append({"name": name, "record": record, "values": {key: json.dumps(of) for key, of in shown.items()}})
    return found


def held_out(layout: Layout, inputs: dict[str, Any]) -> dict[str, Number]:
    """The share of its training digits that an experiment does not train on, where it has digits."""
    found = {}
    for name, values in inputs["datasets"].items():
        if "held_out" in values:
            experiment, part = name.split("/")
            record = relative(layout.report(), layout.dataset_record(experiment, part))
            value = json.dumps(values["held_out"])
            found[experiment] = Number(value, record, "inputs/held_out", value)
    return found


def runs(layout: Layout, inputs: dict[str, Any]) -> list[dict[str, Any]]:
    """Every training by its record.

    Raises:
        FernnError: if a record is missing.
    """
    found = []
    for run in (run for of in inputs["experiments"].values() for run in of["runs"]):
        record = Document(layout.report(), layout.run(run["id"], RECORD))
        found.append(
            {
                "id": run["id"],
                "record": record.name,
                "best": record.number("details/best_epoch"),
                "diverged": bool(record.value("details/diverged")),
                "steps": record.number("details/steps", "{:,}"),
                "seconds": record.number("details/seconds", "{:.1f}"),
                "started": record.value("started"),
                "commit": (record.value("environment/commit/id") or "")[:12],
                "lineage": record.value("lineage"),
            }
        )
    return found


def machines(layout: Layout, inputs: dict[str, Any]) -> list[dict[str, Any]]:
    """The machines and versions that trained, each with one of its runs and their number."""
    found: dict[str, dict[str, Any]] = {}
    for run in (run for of in inputs["experiments"].values() for run in of["runs"]):
        record = Document(layout.report(), layout.run(run["id"], RECORD))
        about = {key: value for key, value in record.value("environment").items() if key not in UNCOMPARED}
        threads = record.value("environment/determinism/threads")
        versions = " · ".join(f"{name} {version}" for name, version in about.pop("packages", {}).items())
        shown = {**about, "threads": threads, "versions": versions}
        key = json.dumps(shown, sort_keys=True)
        line = found.setdefault(key, {"about": shown, "record": record.name, "runs": 0})
        line["runs"] += 1
    return list(found.values())
