"""docs/extend: a fourth experiment, put into a copy as the page says, gets its data, runs, rows and figures."""

import csv
import re
import shutil
from typing import Any

import pytest
import yaml

from .conftest import MICRO, ROOT, Project

EXAMPLE = ROOT / "docs/extend/scaling"
SCALE = EXAMPLE / "scale.yaml"
MODELS = ["G-RNN", "FERNN-V2S"]


def count(pattern: str) -> int:
    return sum(bool(line.strip()) for path in EXAMPLE.glob(pattern) for line in path.read_text().splitlines())


def test_the_page_says_how_many_lines_it_takes() -> None:
    page = (ROOT / "docs/extend.md").read_text()
    assert f"it has {count('*.py')} lines of Python and {count('*.yaml')} of YAML" in page
    for path in EXAMPLE.iterdir():
        assert path.name == "__pycache__" or f"extend/scaling/{path.name})" in page


@pytest.mark.slow
def test_the_whole_way(fresh: Project) -> None:
    before = {path: path.read_bytes() for path in (fresh.folder / "fernn").rglob("*.py")}
    shutil.copytree(EXAMPLE, fresh.folder / "fernn/experiments/scaling")
    params = fresh.folder / "params.yaml"
    before_params = params.read_text()
    params.write_text("".join(path.read_text() for path in (ROOT / "params.yaml", SCALE, EXAMPLE / "params.yaml")))
    assert "4 train, 4 evaluate" in fresh.must("snakemake", "--dry-run", "--config", "scale=scaling-quick")
    params.write_text(before_params + "\n" + (EXAMPLE / "params.yaml").read_text())

    def choose(scale: dict[str, Any]) -> None:
        small = {key: MICRO["translation"][key] for key in ("data", "architecture", "training", "seeds")}
        small["data"] = {**small["data"], "velocity": {"sequences": 2, "flow": "V1S"}}
        scale |= {
            "experiments": ["scaling"],
            "scaling": {**small, "models": {name: {"learning_rate": 0.01} for name in MODELS}},
        }

    fresh.edit_params(choose)
    fresh.makes()

    results = fresh.folder / "results/micro"
    with open(results / "tables/table1.csv") as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "test_mse"]
    assert [(row["experiment"], row["flow"], row["model"]) for row in rows[: len(MODELS)]] == [
        ("scaling", "V2S", name) for name in MODELS
    ]
    assert all(float(row["mean"]) > 0 and not row["paper_value"] for row in rows[: len(MODELS)])
    forecasts = {row["model"]: float(row["mean"]) for row in rows[len(MODELS) :]}
    assert 0 < forecasts.pop("true velocity") < min(forecasts.values())  # its pictures are interpolated twice
    assert len(forecasts) == 2
    figures = {path.name for path in (results / "figures").glob("*.png")}
    kinds = ("predictions", "validation_loss", "training", "length_generalization", "rollouts")
    assert figures == {f"scaling-V2S-{kind}.png" for kind in kinds}
    report = (results / "report.html").read_text()
    assert "How do the models of scaling compare?" in report
    assert not re.search("not run|[Pp]aper reproduce|>Paper<", report)
    # nothing of another experiment was touched, and the other commands know it
    assert {path: path.read_bytes() for path in before} == before
    assert fresh.planned() == set()
    assert fresh.run("fernn", "verify", "results/micro").returncode == 0
    said = fresh.run("fernn", "plan", "--scale", "micro").stdout
    assert re.findall(r"│ scaling +│ (\S+) +│ +0 │", said) == list(MODELS), said

    fresh.edit_params(lambda scale: scale["scaling"]["models"]["G-RNN"].update(kind="other"))
    refused = fresh.run("fernn", "plan", "--scale", "micro")
    assert refused.returncode
    assert "scaling: models.G-RNN.kind is 'other'; expected one of fernn" in refused.stderr


def test_the_section_is_one_of_params_yaml() -> None:
    assert list(yaml.safe_load((EXAMPLE / "params.yaml").read_text())) == ["scaling"]
    # the page appends the scale to the file's last key
    assert list(yaml.safe_load((ROOT / "params.yaml").read_text()))[-1] == "scales"
    assert list(yaml.safe_load(SCALE.read_text())) == ["scaling-quick"]
