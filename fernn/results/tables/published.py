"""The figures of the paper, from published.yaml, and how ours are held against them."""

import math
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from fernn.results.reading.summary import Summary

FILE = Path(__file__).with_name("published.yaml")
LIMIT = 2.0  # standard deviations between agreement and difference


@dataclass(frozen=True)
class Published:
    """A figure of the paper: None where we do not have it; `secondary` if it was not taken from the paper itself."""

    value: float | None = None
    std: float | None = None
    source: str = ""
    secondary: bool = False

    @property
    def mark(self) -> str:
        """What stands behind a figure from a secondary source."""
        return " (?)" if self.secondary else ""


def published(table: str, experiment: str, flow: str, model: str) -> Published:
    """The paper's figure for a model; a blank one where the paper has none or another flow.

    Args:
        table: "table1" or "table2".
        experiment: as in params.yaml.
        flow: of the data it is tested on.
        model: as in params.yaml.
    """
    figure = _cells(table, experiment, flow).get("models", {}).get(model)
    return Published(**figure) if figure else Published()


def flow_of(table: str, experiment: str) -> str:
    """The flow of the data that the paper's figures for an experiment are of."""
    return str(_tables()[table]["experiments"][experiment]["flow"])


def order(table: str, experiment: str, flow: str) -> list[str]:
    """The models that have a figure of the paper, from the worst to the best; empty for other flows."""
    models = _cells(table, experiment, flow).get("models", {})
    figures = {model: figure["value"] for model, figure in models.items() if figure["value"] is not None}
    return sorted(figures, key=figures.__getitem__, reverse=lower_is_better(table))


def lower_is_better(table: str) -> bool:
    """Whether a lower figure is the better one."""
    return bool(_tables()[table]["better"] == "lower")


@dataclass(frozen=True)
class Verdict:
    """What a comparison with the paper came to, and by how many standard deviations ours is higher (None: untold)."""

    text: str
    z: float | None = None


def compare(ours: Summary, paper: Published, scale: str, lower: bool) -> Verdict:
    """Hold our mean over seeds against the paper's figure.

    z = (mean - value) / sqrt(std^2 / n + paper_std^2). Our mean has the standard error std / sqrt(n). Of
    Table 2 alone the paper says over how many runs its figures go (three seeds), so in both tables its deviation is
    taken whole, as if it were one run: the cautious reading, which calls fewer results different. Within 2 the two
    agree; beyond, ours is better or worse.

    Args:
        ours: our figure.
        paper: the paper's.
        scale: only "paper" has the paper's sizes.
        lower: whether a lower figure is the better one.
    """
    if paper.value is None or paper.std is None:
        return Verdict("no figure to compare with")
    if scale != "paper":
        return Verdict(f"not comparable at scale {scale}")
    if ours.std is None:
        return Verdict("needs two seeds")
    z = (ours.mean - paper.value) / math.sqrt(ours.std**2 / ours.n + paper.std**2)
    if abs(z) <= LIMIT:
        return Verdict("agrees", z)
    return Verdict("better" if (z < 0) == lower else "worse", z)


@dataclass(frozen=True)
class Claim:
    """The paper's figure of `better` is the better one; `gap` is how far our means stand apart in that direction.

    `deviations` is the sum of both standard deviations, None where a model has one seed.
    """

    worse: str
    better: str
    gap: float
    deviations: float | None

    @property
    def verdict(self) -> str:
        """holds: the gap exceeds the deviations. It says nothing of sizes, so it can be asked at any scale."""
        if self.gap <= 0:
            return "reversed"
        if self.deviations is None:
            return "needs two seeds"
        return "holds" if self.gap > self.deviations else "not separated"


def claims(ours: dict[str, Summary], ranking: list[str], lower: bool) -> list[Claim]:
    """The paper's ranking of the models that we have, by pairs of neighbours.

    Args:
        ours: our figures by model.
        ranking: from the worst to the best.
        lower: whether a lower figure is the better one.
    """
    present = [model for model in ranking if model in ours]
    found = []
    for worse, better in pairwise(present):
        first, second = ours[worse], ours[better]
        gap = first.mean - second.mean if lower else second.mean - first.mean
        deviations = None if first.std is None or second.std is None else first.std + second.std
        found.append(Claim(worse, better, gap, deviations))
    return found


def _cells(table: str, experiment: str, flow: str) -> dict[str, Any]:
    cells: dict[str, Any] = _tables()[table]["experiments"].get(experiment, {})
    return cells if cells.get("flow") == flow else {}


@cache
def _tables() -> dict[str, Any]:
    tables: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return tables
