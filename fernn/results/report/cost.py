"""What runs cost: the time of a step against |V|, and energy by an estimate."""

from collections.abc import Mapping
from typing import Any

from fernn.layout import RECORD, Layout
from fernn.results.report.numbers import Document, Row, Sheet

# Nothing here was measured: about what a thread of a server's processor, and a GPU with its share of the machine, draw
WATTS = {"thread": 10, "gpu": 500}


def rows(
    layout: Layout, inputs: dict[str, Any], chosen: Mapping[tuple[str, str, str], float]
) -> dict[str, list[dict[str, Any]]]:
    """The time of a training step of each model, by experiment and flow, smaller V first.

    Raises:
        FernnError: if the table of cost or the record of a training is missing.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for row in Sheet(layout.report(), layout.table("cost.csv")):
        generators = inputs["experiments"][row["experiment"]]["generators"].get(row["model"])
        milliseconds = float(row["step_seconds"] or 0) * 1000
        found.setdefault(f"{row['experiment']}, trained on {row['flow']}", []).append(
            {
                "model": row["model"],
                "generators": generators,
                "milliseconds": milliseconds,
                "step": row.number("step_seconds", f"{milliseconds:.3g}", factor=1000),
                "hours": row.number("hours", f"{float(row['hours'] or 0):.2g}"),
                "parameters": row.number("parameters", f"{int(row['parameters']):,}"),
                "device": row["device"],
            }
        )
    for lines in found.values():
        slowest = max(line["milliseconds"] for line in lines) or 1
        lines.sort(key=lambda line: (line["generators"] or 0, line["milliseconds"]))
        for line in lines:
            line["share"] = line["milliseconds"] / slowest
    return found


def totals(layout: Layout, inputs: dict[str, Any]) -> list[dict[str, Any]]:
    """Hours and energy of all trainings, by the machine that did them."""
    sheet = Sheet(layout.report(), layout.table("cost.csv"))
    by: dict[tuple[str, int], list[Row]] = {}
    for row in sheet:
        if row["hours"]:
            by.setdefault((row["device"], _watts(layout, inputs, row)), []).append(row)
    found = []
    for (device, watts), of in by.items():
        hours = sum(float(row["hours"]) for row in of)
        found.append(
            {
                "device": device,
                "watts": watts,
                "hours": sheet.total(of, "hours", f"{hours:.3g}"),
                "energy": sheet.total(of, "hours", f"{hours * watts / 1000:.2g}", watts / 1000),
            }
        )
    return found


def _watts(layout: Layout, inputs: dict[str, Any], row: Row) -> int:
    """What the machine of a row's runs is taken to draw; all of a row have the same kind of machine, as a rule."""
    runs = inputs["experiments"][row["experiment"]]["runs"]
    run = next(run for run in runs if (run["flow"], run["model"]) == (row["flow"], row["model"]))
    about = Document(layout.report(), layout.run(run["id"], RECORD)).value("environment")
    threads: int = about["determinism"]["threads"]
    return WATTS["gpu"] if "cuda" in about else WATTS["thread"] * threads
