"""What runs cost: the time of a step against |V|, and hours by machine."""

from collections.abc import Mapping
from typing import Any

from fernn.layout import Layout
from fernn.results.report.numbers import Row, Sheet


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


def totals(layout: Layout) -> list[dict[str, Any]]:
    """Hours of all trainings, by the machine that did them."""
    sheet = Sheet(layout.report(), layout.table("cost.csv"))
    by: dict[str, list[Row]] = {}
    for row in sheet:
        if row["hours"]:
            by.setdefault(row["device"], []).append(row)
    return [
        {"device": device, "hours": sheet.total(of, "hours", f"{sum(float(row['hours']) for row in of):.3g}")}
        for device, of in by.items()
    ]
