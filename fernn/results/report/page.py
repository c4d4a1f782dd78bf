"""The report of a scale: one page, and the values besides files that it depends on."""

import base64
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from fernn.files import sha256, write_text
from fernn.layout import NOTES, RECORD, Layout
from fernn.params import Params
from fernn.results.claims.claim import read_claims
from fernn.results.claims.judge import Verdict
from fernn.results.claims.text import SUPPORT
from fernn.results.report.numbers import Document, Number, Sheet, SheetRow, relative
from fernn.results.text import fixed, plus_minus
from fernn.runs import runs_of

if TYPE_CHECKING:
    from fernn.experiment import Experiment
    from fernn.results.figures import Panel

PAGE = tuple(Path(__file__).parent / name for name in ("page.html", "parts.html", "style.css"))
UNSHOWN_PARAMS = {"source"}  # where files are fetched from
SIGNS = {  # of a verdict, before its word; colour only repeats them
    Verdict.REPRODUCED: "✓",
    Verdict.NOT_REPRODUCED: "✗",
    Verdict.INCONCLUSIVE: "?",
    Verdict.NOT_RUN: "-",
}
LINKED = "Runs "  # notes below a table that start so are left out: the page links to these runs
UNSHOWN = ("code", "carried", "stand_ins", "motion")  # inputs of a data set that the short list leaves out
UNCOMPARED = ("host", "commit", "determinism")  # parts of an environment that differ by run or are shown elsewhere


class Link(NamedTuple):
    """A file beside the page."""

    text: str
    file: str


Groups = dict[str, list[Link]]  # the records of runs, named by their seeds; by model, and by flow where these differ


def report_inputs(
    params: Params,
    experiments: "Sequence[Experiment[Any]]",
    panels: "Sequence[Panel]",
    tables: list[str],
    datasets: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """What the report depends on besides the files that it reads: plain values, known before anything has run.

    `panels` are the figures, `tables` the names of the paper's tables, `datasets` the inputs of the data sets' parts.
    """
    shown = {}
    for each in experiments:
        section, count = params.section(each.name), each.evidence.generators
        shown[each.name] = {
            "params": section.model_dump(exclude=UNSHOWN_PARAMS),
            "generators": {model: count(params, model) for model in section.models} if count else {},
            "runs": [
                {key: getattr(run, key) for key in ("id", "flow", "model", "learning_rate", "seed")}
                for run in runs_of(params, each.name)
            ],
            "figures": [
                {"name": panel.name, "see": panel.kind.see, "shown": list(panel.shown), "moving": panel.moving}
                for panel in panels
                if panel.experiment == each.name
            ],
        }
    return {
        "scale": params.scale,
        "tables": tables,
        "page": [sha256(path) for path in PAGE],
        "experiments": shown,
        # without digests of code: an edit that changes no result changes no page
        "datasets": {
            part: {name: value for name, value in inputs.items() if name not in ("code", "stand_ins")}
            for part, inputs in datasets.items()
        },
    }


def write_report(layout: Layout, inputs: dict[str, Any]) -> None:
    """Write the page by its `report_inputs`: one file that loads nothing else, with links to what it was made of.

    FernnError if a table, a figure or the record of a training is missing or malformed.
    """
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    parts = _Parts(layout, inputs)
    text = environment.get_template("page.html").render(
        scale=inputs["scale"],
        of_paper=parts.of_paper(),
        style=(Path(__file__).parent / "style.css").read_text(encoding="utf-8"),
        signs={verdict.value: sign for verdict, sign in SIGNS.items()},
        support=SUPPORT.strip(),
        claims=parts.claims(),
        counts=parts.counts(),
        tables=[parts.table(name) for name in inputs["tables"]],
        unrun=parts.unrun(),
        stand_ins=parts.stand_ins(),
        pictures={name: list(parts.pictures(name)) for name in inputs["experiments"]},
        cost=parts.cost(),
        hours=parts.hours(),
        datasets=parts.datasets(),
        held_out=parts.held_out(),
        runs=parts.trainings(),
        machines=parts.machines(),
        params={
            name: yaml.safe_dump(of["params"], sort_keys=False, default_flow_style=None, width=100)
            for name, of in inputs["experiments"].items()
        },
    )
    write_text(layout.report(), text)


class _Parts:
    def __init__(self, layout: Layout, inputs: dict[str, Any]) -> None:
        self.layout, self.inputs = layout, inputs
        self.page = layout.report()
        self.judged = self.sheet("claims.csv")
        self.chosen = {
            (row["experiment"], row["flow"], row["model"]): float(row["learning_rate"])
            for row in self.sheet("selection.csv")
            if row["chosen"] == "yes"
        }

    def sheet(self, name: str) -> Sheet:
        return Sheet(self.page, self.layout.table(name))

    def of_paper(self) -> bool:
        """Whether the scale runs an experiment of the paper."""
        return bool(self.claims().keys() & {claim.experiment for claim in read_claims().all})

    def claims(self) -> dict[str, list[dict[str, Any]]]:
        """The claims on the scale's experiments, by experiment, those not run last."""
        found: dict[str, list[dict[str, Any]]] = {}
        for row in self.judged:
            if row["experiment"] not in self.inputs["experiments"]:
                continue
            found.setdefault(row["experiment"], []).append(
                {
                    "text": row["claim"],
                    "source": row["source"] + (" (?)" if row["secondary"] == "yes" else ""),
                    "verdict": row["verdict"],
                    "reason": row["reason"],
                    "ours": row.number("ours", row["ours"] if row["ours"].startswith("<") else _short(row["ours"])),
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
        return {verdict.value: self.judged.count("verdict", verdict.value) for verdict in Verdict}

    def table(self, name: str) -> dict[str, Any]:
        """A table of the paper, with the notes below it."""
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
        own = [row for row in self.sheet(NOTES) if row["table"] == name]
        return {
            "title": next(row["text"] for row in own if row["kind"] == "title"),
            "lines": lines,
            "compared": any(line["paper"] or line["verdict"] for line in lines),
            "file": relative(self.page, self.layout.table(f"{name}.md")),
            "notes": [row["text"] for row in own if row["kind"] == "note" and not row["text"].startswith(LINKED)],
            "files": [Link(form.upper(), f"tables/{name}.{form}") for form in ("csv", "md", "tex")],
        }

    def unrun(self) -> list[str]:
        """The experiments of the claims that the scale does not have."""
        return [
            name
            for name in dict.fromkeys(row["experiment"] for row in self.judged)
            if name not in self.inputs["experiments"]
        ]

    def stand_ins(self) -> bool:
        sheets = [self.sheet(f"{name}.csv") for name in self.inputs["tables"]]
        return any(row.cells.get("stand_in") == "yes" for sheet in sheets for row in sheet)

    def pictures(self, experiment: str) -> Iterator[dict[str, Any]]:
        """The figures of an experiment, animated ones first."""
        own = self.inputs["experiments"][experiment]["figures"]
        for of in sorted(own, key=lambda of: of["moving"] is None):
            name, moving = of["name"], of["moving"]
            runs = (run for flow, model in of["shown"] for run in self.runs_of(experiment, flow, model))
            files = [Link(form.upper(), f"figures/{name}.{form}") for form in ("png", "pdf")]
            files += [Link("moving PNG", f"figures/{moving}")] if moving else []
            yield {
                "name": name,
                "see": of["see"],
                "image": self.embedded(f"{name}.png"),
                "moving": self.embedded(moving) if moving else None,
                "files": files,
                "runs": self.links(runs),
            }

    def embedded(self, name: str) -> str:
        """A picture as a data URL: lossless WebP, which is smaller than PNG."""
        content = io.BytesIO()
        with Image.open(self.layout.figure(name)) as picture:
            picture.save(content, format="WEBP", lossless=True, quality=75, method=4, save_all=True)
        return f"data:image/webp;base64,{base64.b64encode(content.getvalue()).decode('ascii')}"

    def runs_of(self, experiment: str, flow: str, model: str) -> list[str]:
        rate = self.chosen.get((experiment, flow, model))
        runs = self.inputs["experiments"][experiment]["runs"]
        return [run["id"] for run in runs if (run["flow"], run["model"], run["learning_rate"]) == (flow, model, rate)]

    def links(self, runs: Iterable[str]) -> Groups:
        found: Groups = {}
        runs = list(runs)
        flows = {run.split("/")[1] for run in runs}
        for run in runs:
            _, flow, model, _, seed = run.split("/")
            record = relative(self.page, self.layout.run(run, RECORD))
            of = model if len(flows) == 1 else f"{model} on {flow}"
            found.setdefault(of, []).append(Link(seed.removeprefix("seed"), record))
        return found

    def cost(self) -> dict[str, list[dict[str, Any]]]:
        """The time of a training step of each model, by experiment and flow, smaller |V| first."""
        found: dict[str, list[dict[str, Any]]] = {}
        for row in self.sheet("cost.csv"):
            milliseconds = float(row["step_seconds"] or 0) * 1000
            found.setdefault(f"{row['experiment']}, trained on {row['flow']}", []).append(
                {
                    "model": row["model"],
                    "generators": self.inputs["experiments"][row["experiment"]]["generators"].get(row["model"]),
                    "milliseconds": milliseconds,
                    "step": row.number("step_seconds", f"{milliseconds:.3g}", factor=1000),
                    "hours": row.number("hours", f"{float(row['hours'] or 0):.2g}"),
                    "parameters": row.number("parameters", f"{int(row['parameters']):,}"),
                }
            )
        for lines in found.values():
            slowest = max(line["milliseconds"] for line in lines) or 1
            lines.sort(key=lambda line: (line["generators"] or 0, line["milliseconds"]))
            for line in lines:
                line["share"] = line["milliseconds"] / slowest
        return found

    def hours(self) -> dict[str, Number]:
        sheet = self.sheet("cost.csv")
        devices = dict.fromkeys(row["device"] for row in sheet if row["hours"])
        return {of: sheet.total([row for row in sheet if row["device"] == of], "hours", "{:.3g}") for of in devices}

    def datasets(self) -> list[dict[str, Any]]:
        found = []
        for name, values in self.inputs["datasets"].items():
            record = self.dataset_record(name)
            shown = {key: json.dumps(value) for key, value in values.items() if key not in UNSHOWN}
            found.append({"name": name, "record": record, "values": shown})
        return found

    def held_out(self) -> dict[str, Number]:
        """The share of the training digits that an experiment holds out for validation, where it has digits."""
        found = {}
        for name, values in self.inputs["datasets"].items():
            if "held_out" in values:
                value = json.dumps(values["held_out"])
                found[name.split("/")[0]] = Number(value, self.dataset_record(name), "inputs/held_out", value)
        return found

    def dataset_record(self, name: str) -> str:
        return relative(self.page, self.layout.dataset_record(*name.split("/")))

    def records(self) -> Iterator[tuple[str, Document]]:
        for of in self.inputs["experiments"].values():
            for run in of["runs"]:
                yield run["id"], Document(self.page, self.layout.run(run["id"], RECORD))

    def trainings(self) -> list[dict[str, Any]]:
        return [
            {
                "id": run,
                "record": record.name,
                "best": record.number("details/best_epoch"),
                "diverged": bool(record.value("details/diverged")),
                "steps": record.number("details/steps", "{:,}"),
                "seconds": record.number("details/seconds", "{:.1f}"),
                "started": record.value("started"),
                "commit": (record.value("environment/commit/id") or "")[:12],
                "lineage": record.value("lineage"),
            }
            for run, record in self.records()
        ]

    def machines(self) -> list[dict[str, Any]]:
        """The machines and versions that trained, each with one record and the number of its runs."""
        found: dict[str, dict[str, Any]] = {}
        for _, record in self.records():
            about = {key: value for key, value in record.value("environment").items() if key not in UNCOMPARED}
            versions = " · ".join(f"{name} {version}" for name, version in about.pop("packages", {}).items())
            shown = {**about, "threads": record.value("environment/determinism/threads"), "versions": versions}
            key = json.dumps(shown, sort_keys=True)
            line = found.setdefault(key, {"about": shown, "record": record.name, "runs": 0})
            line["runs"] += 1
        return list(found.values())


def _short(value: str, digits: int = 3) -> str:
    return f"{float(value):.{digits}g}" if value else ""


def _with_deviation(row: SheetRow, mean: str, deviation: str, decimals: int | None = None) -> Number | None:
    if not row[mean]:
        return None
    value, std = float(row[mean]), float(row[deviation]) if row[deviation] else None
    if decimals is None:  # of a claim: whatever kind of number it is
        text = f"{value:g}" + ("" if std is None else f" ± {std:g}")
    else:
        text = (fixed if decimals == 3 else plus_minus)(value, std, decimals)
    return row.number(mean, text, deviation)
