"""The picture of the workflow has all jobs, and what is made of what."""

from dataclasses import dataclass
from pathlib import Path

from fernn.experiments import load_params
from fernn.layout import Layout
from fernn.pipeline.jobs import Jobs
from fernn.results.report.graph import draw, workflow


@dataclass
class Step:
    stage: str
    name: str
    read_files: tuple[Path, ...] = ()
    writes: tuple[Path, ...] = ()


def test_groups_of_jobs() -> None:
    a, b, c, d = map(Path, "abcd")
    steps = [
        Step("dataset", "axis/digits", (a,), (b,)),
        *(Step("train", f"axis/V1T/M/lr1/seed{seed}", (b,), (c / str(seed),)) for seed in range(3)),
        Step("tables", "", (c / "0", c / "1", b), (d,)),
    ]
    graph = workflow(steps, ["axis"], "videos")
    assert graph["jobs"] == {"dataset axis": 1, "train axis": 3, "tables": 1, "report": 1, "files axis": 1}
    assert ["files axis", "dataset axis"] in graph["edges"]
    assert ["dataset axis", "tables"] in graph["edges"]
    drawing = draw(graph)
    arrows = {(one.stage, other.stage) for one, other in drawing.arrows}
    # the tables read data sets too, and are drawn after the trainings, which do
    assert ("dataset", "tables") not in arrows
    assert {("files", "dataset"), ("dataset", "train"), ("train", "tables"), ("tables", "report")} == arrows


def test_the_workflow_of_the_quick_scale(root: Path) -> None:
    jobs = Jobs(load_params(root / "params.yaml", "quick"), Layout("quick"))
    graph = jobs.find("report").inputs["graph"]
    for stage in ("dataset", "train", "evaluate"):
        counts = [count for name, count in graph["jobs"].items() if name.startswith(f"{stage} ")]
        assert sum(counts) == len(jobs.of(stage))
    drawing = draw(graph)
    assert len({(box.x, box.y) for box in drawing.boxes}) == len(drawing.boxes)
    assert all(one.y < other.y for one, other in drawing.arrows)
    assert all(0 < box.x < drawing.width and 0 < box.y < drawing.height for box in drawing.boxes)
