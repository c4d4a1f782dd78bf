"""The page: what stands in it, from the files of a scale's results."""

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from fernn.files import write_text
from fernn.layout import RECORD, Layout
from fernn.results.claims.judgement import Verdict
from fernn.results.claims.text import SUPPORT
from fernn.results.names import fixed, plus_minus
from fernn.results.report import cost, provenance
from fernn.results.report.graph import draw
from fernn.results.report.numbers import Number, Row, Sheet, read, relative

SIGNS = {  # a verdict is told by a sign and a word; colour only repeats them
    Verdict.REPRODUCED: "✓",
    Verdict.NOT_REPRODUCED: "✗",
    Verdict.INCONCLUSIVE: "?",
    Verdict.NOT_RUN: "-",
}
UNSHOWN = "- Runs "  # which the page has links to
NOTE = "- "  # what a line below a table starts with, in its .md


@dataclass(frozen=True)
class Link:
    """A file beside the page."""

    text: str
    file: str


Groups = dict[str, list[Link]]  # the records of runs, named by their seeds; by model, and by flow where these differ


@dataclass(frozen=True)
class Picture:
    """A figure with its files, what to see in it, and the runs that it shows."""

    name: str
    kind: str
    see: str
    image: str
    moving: str | None
    files: list[Link]
    runs: Groups


def write_report(layout: Layout, inputs: dict[str, Any]) -> None:
    """Write the page: one file that asks for nothing from elsewhere, with links to the files that it was made of.

    Args:
        layout: where files lie.
        inputs: see `report_inputs`.

    Raises:
        FernnError: if a table, a figure or the record of a training is missing or malformed.
    """
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    parts = _Parts(layout, inputs)
    text = environment.get_template("page.html").render(
        scale=inputs["scale"],
        style=(Path(__file__).parent / "style.css").read_text(encoding="utf-8"),
        signs={verdict.value: sign for verdict, sign in SIGNS.items()},
        support=SUPPORT.strip(),
        claims=parts.claims(),
        counts=parts.counts(),
        tables=[parts.table(name) for name in inputs["tables"]],
        unrun=parts.unrun(),
        stand_ins=parts.stand_ins(),
        pictures={name: list(parts.pictures(name)) for name in inputs["experiments"]},
        cost=cost.rows(layout, inputs, parts.chosen),
        totals=cost.totals(layout),
        datasets=provenance.datasets(layout, inputs),
        held_out=provenance.held_out(layout, inputs),
        runs=provenance.runs(layout, inputs),
        machines=provenance.machines(layout, inputs),
        params={name: _yaml(of["params"]) for name, of in inputs["experiments"].items()},
        drawing=draw(inputs["graph"]),
    )
    write_text(layout.report(), text)


class _Parts:
    def __init__(self, layout: Layout, inputs: dict[str, Any]) -> None:
        self.layout, self.inputs = layout, inputs
        self.page = layout.report()
        self.judged = self.sheet("claims.csv")
        selection = self.sheet("selection.csv")
        self.chosen = {
            (row["experiment"], row["flow"], row["model"]): float(row["learning_rate"])
            for row in selection
            if row["chosen"] == "yes"
        }

    def sheet(self, name: str) -> Sheet:
        return Sheet(self.page, self.layout.table(name))

    def claims(self) -> dict[str, list[dict[str, Any]]]:
        """The claims by experiment."""
        found: dict[str, list[dict[str, Any]]] = {}
        for row in self.judged:
            found.setdefault(row["experiment"], []).append(
                {
                    "text": row["claim"],
                    "source": row["source"] + (" (?)" if row["secondary"] == "yes" else ""),
                    "verdict": row["verdict"],
                    "reason": row["reason"],
                    "ours": row.number("ours", _short(row["ours"])),
                    "paper": _with_deviation(row, "paper_value", "paper_std"),
                    "tested": None if row["tested"] == row["ours"] else row.number("tested", _short(row["tested"])),
                    "low": row.number("low", _short(row["low"])),
                    "high": row.number("high", _short(row["high"])),
                    "p_true": row.number("p_true", _short(row["p_true"], 2)),
                    "p_false": row.number("p_false", _short(row["p_false"], 2)),
                    "runs": self.links(row["runs"].replace(";", "").split()),
                }
            )
        last = Verdict.NOT_RUN.value
        return {name: sorted(of, key=lambda line: line["verdict"] == last) for name, of in found.items()}

    def counts(self) -> dict[str, Number]:
        """How many claims have each verdict."""
        return {verdict.value: self.judged.count("verdict", verdict.value) for verdict in Verdict}

    def table(self, name: str) -> dict[str, Any]:
        """A table of the paper, with what is said below it."""
        lines = []
        for row in self.sheet(f"{name}.csv"):
            decimals = 3 if "accuracy" in row["metric"] else 2
            lines.append(
                {
                    "data": row["experiment"],
                    "flow": row["flow"],
                    "model": row["model"],
                    "measure": row["metric"].replace("_", " "),
                    "ours": _with_deviation(row, "mean", "std", decimals),
                    "n": None if row["n"] == "0" else row.number("n", row["n"]),
                    "paper": _with_deviation(row, "paper_value", "paper_std", decimals),
                    "mark": " (?)" if row["source"].endswith("(?)") else "",
                    "verdict": row["verdict"],
                    "parameters": row.number("parameters", f"{int(row['parameters'] or 0):,}"),
                    "runs": self.links(self.runs_of(row["experiment"], row["flow"], row["model"])),
                }
            )
        text = read(self.layout.table(f"{name}.md"))
        file = relative(self.page, self.layout.table(f"{name}.md"))
        notes = [line for line in text.splitlines() if line.startswith(NOTE) and not line.startswith(UNSHOWN)]
        notes = [line for line in notes if "**" not in line]  # a verdict
        title = text.partition("\n")[0].removeprefix("# ")
        files = [Link(form.upper(), f"tables/{name}.{form}") for form in ("csv", "md", "tex")]
        return {
            "title": title,
            "lines": lines,
            "file": file,
            "notes": [line.removeprefix(NOTE) for line in notes],
            "files": files,
        }

    def unrun(self) -> list[str]:
        """The experiments that the paper makes claims about and the scale does not have."""
        return list(
            dict.fromkeys(
                row["experiment"] for row in self.judged if row["experiment"] not in self.inputs["experiments"]
            )
        )

    def stand_ins(self) -> bool:
        """Whether videos were drawn in place of the originals."""
        sheets = [self.sheet(f"{name}.csv") for name in self.inputs["tables"]]
        return any(row.cells.get("stand_in") == "yes" for sheet in sheets for row in sheet)

    def pictures(self, experiment: str) -> Iterable[Picture]:
        """The figures of an experiment; moving ones first."""
        own = self.inputs["experiments"][experiment]["figures"]
        for of in sorted(own, key=lambda of: of["moving"] is None):
            name = of["name"]
            runs = self.links(run for flow, model in of["shown"] for run in self.runs_of(experiment, flow, model))
            yield Picture(
                name=name,
                kind=of["kind"],
                see=of["see"],
                image=self.embedded(f"{name}.png"),
                moving=self.embedded(of["moving"]) if of["moving"] else None,
                files=[Link(form.upper(), f"figures/{name}.{form}") for form in ("png", "pdf")]
                + ([Link("moving PNG", f"figures/{of['moving']}")] if of["moving"] else []),
                runs=runs,
            )

    def embedded(self, name: str) -> str:
        """A picture as an address that holds it, all its pixels in less room."""
        content = io.BytesIO()
        with Image.open(self.layout.figure(name)) as picture:
            picture.save(content, format="WEBP", lossless=True, quality=75, method=4, save_all=True)
        return f"data:image/webp;base64,{base64.b64encode(content.getvalue()).decode('ascii')}"

    def runs_of(self, experiment: str, flow: str, model: str) -> list[str]:
        """The runs of the chosen learning rate."""
        rate = self.chosen.get((experiment, flow, model))
        runs = self.inputs["experiments"][experiment]["runs"]
        return [run["id"] for run in runs if (run["flow"], run["model"], run["learning_rate"]) == (flow, model, rate)]

    def links(self, runs: Iterable[str]) -> Groups:
        """The records of runs."""
        found: Groups = {}
        runs = list(runs)
        flows = {run.split("/")[1] for run in runs}
        for run in runs:
            _, flow, model, _, seed = run.split("/")
            record = relative(self.page, self.layout.run(run, RECORD))
            of = model if len(flows) == 1 else f"{model} on {flow}"
            found.setdefault(of, []).append(Link(seed.removeprefix("seed"), record))
        return found


def _short(value: str, digits: int = 3) -> str:
    return f"{float(value):.{digits}g}" if value else ""


def _with_deviation(row: Row, mean: str, deviation: str, decimals: int | None = None) -> Number | None:
    if not row[mean]:
        return None
    value, std = float(row[mean]), float(row[deviation]) if row[deviation] else None
    if decimals is None:  # of a claim: whatever kind of number it is
        text = f"{value:g}" + ("" if std is None else f" ± {std:g}")
    else:
        text = (fixed if decimals == 3 else plus_minus)(value, std, decimals)
    return row.number(mean, text, deviation)


def _yaml(values: dict[str, Any]) -> str:
    return yaml.safe_dump(values, sort_keys=False, default_flow_style=None, width=100)
