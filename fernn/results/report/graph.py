"""The workflow as a picture: its jobs by stage and experiment, and what is made of what."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

WIDE, HIGH, BOX = 128, 66, (116, 40)  # of a column, of a row, and of a box


class Step(Protocol):
    """A job, as far as the picture asks."""

    @property
    def stage(self) -> str:
        """The command of `fernn` that does it."""

    @property
    def name(self) -> str:
        """What it makes; empty where there is one job of a stage."""

    @property
    def read_files(self) -> tuple[Path, ...]:
        """The files that it is made of."""

    @property
    def writes(self) -> tuple[Path, ...]:
        """Its files."""


@dataclass(frozen=True)
class Box:
    """Jobs of a stage, and where they are drawn: the middle of their box."""

    stage: str
    of: str
    jobs: int
    x: float
    y: float


@dataclass(frozen=True)
class Drawing:
    """Boxes, and arrows between two of them, in a picture of this size."""

    boxes: list[Box]
    arrows: list[tuple[Box, Box]]
    width: float
    height: float
    box: tuple[int, int] = BOX


def workflow(jobs: Sequence[Step], experiments: Sequence[str], fetched: str) -> dict[str, Any]:
    """Jobs by stage and experiment, and which of these groups read of which, as plain values; the report comes last.

    Files that no job makes are a group "files" of whoever reads them; those of `fetched` are made of stand-ins, where
    these are drawn.
    """
    makers = {path: job for job in jobs for path in job.writes}
    files: dict[str, set[Path]] = {}
    counts, edges = Counter[str](), set()

    def group(job: Step) -> str:
        of = job.name.partition("/")[0]
        return f"{job.stage} {of if of in experiments else fetched if job.stage == 'standins' else ''}".rstrip()

    for job in jobs:
        counts[group(job)] += 1
        for path in job.read_files:
            if path in makers:
                edges.add((group(makers[path]), group(job)))
            elif job.stage == "dataset":
                source = f"files {job.name.partition('/')[0]}"
                files.setdefault(source, set()).add(path)
                edges.add((source, group(job)))
    if counts["standins " + fetched]:
        edges.add((f"standins {fetched}", f"files {fetched}"))
    counts.update({name: len(paths) for name, paths in files.items()})
    counts["report"] = 1
    edges |= {(name, "report") for name in ("tables", "figures") if counts[name]}
    inside = sorted([one, other] for one, other in edges if one != other)
    return {"jobs": dict(sorted(counts.items())), "edges": inside, "columns": list(experiments)}


def draw(graph: dict[str, Any]) -> Drawing:
    """Place the groups: a row for each generation, a column for each experiment; what has none stands between.

    Arrows that others lead to as well are left out.
    """
    import networkx  # for whoever draws it

    whole = networkx.DiGraph()
    whole.add_nodes_from(graph["jobs"])
    whole.add_edges_from(map(tuple, graph["edges"]))
    width = WIDE * max(len(graph["columns"]), 2)
    # counted from the end, so that what only waits stands close above whoever reads it
    rows = [sorted(row) for row in networkx.topological_generations(whole.reverse())][::-1]
    boxes = {}
    for number, row in enumerate(rows):
        free = [name for name in row if " " not in name]
        for name in row:
            stage, _, of = name.partition(" ")
            x = (free.index(name) + 0.5) * width / len(free) if not of else (graph["columns"].index(of) + 0.5) * WIDE
            boxes[name] = Box(stage, of, graph["jobs"][name], x, (number + 0.5) * HIGH)
    arrows = [(boxes[one], boxes[other]) for one, other in sorted(networkx.transitive_reduction(whole).edges)]
    return Drawing(list(boxes.values()), arrows, width, HIGH * len(rows))
