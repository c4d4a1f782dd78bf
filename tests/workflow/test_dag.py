"""The workflow: the whole way once, and what it refuses before anything runs."""

import csv
from typing import Any

from tests import measured
from tests.results.report.page import Page, wrong

from .conftest import Project

GRNN, V1, V1_SLOW = (
    "translation/V2T/G-RNN/lr0.01",
    "translation/V2T/FERNN-V1T/lr0.01",
    "translation/V1T/FERNN-V1T/lr0.01",
)
REPORT = {"Writing the tables", "Drawing the figures", "Composing the report"}


def run_and_after(*runs: str) -> set[str]:
    return {f"{verb} {run}" for run in runs for verb in ("Training", "Evaluating")} | REPORT


def test_the_whole_way(finished: Project) -> None:
    rows = list(csv.DictReader(finished.read("tables/table1.csv").decode().splitlines()))
    for model, run in (("G-RNN", GRNN), ("FERNN-V1T", V1)):
        path = finished.folder / "results/micro/evaluations" / run / "seed0/results.csv"
        error = measured.read(path)["test"]["mse", ""]
        cells = [row for row in rows if row["model"] == model and row["metric"] == "test_mse"]
        assert [float(cell["mean"]) for cell in cells] == [error]
    claims = list(csv.DictReader(finished.read("tables/claims.csv").decode().splitlines()))
    of = ("order", "FERNN-V1T G-RNN", "test_mse")
    (order,) = [row for row in claims if (row["kind"], row["models"], row["measure"]) == of]
    assert (order["verdict"], order["reason"]) == ("inconclusive", "one seed of FERNN-V1T: a test needs two")
    assert order["runs"] == f"{V1}/seed0; {GRNN}/seed0"
    assert finished.read("figures/translation-V2T-validation_loss.png").startswith(b"\x89PNG")
    page = Page(finished.folder / "results/micro/report.html")
    assert len(page.sourced()) > 50
    assert list(wrong(page)) == []
    assert all((page.path.parent / link).is_file() for link in page.links())
    assert finished.read(f"logs/train/{GRNN}/seed0.log")
    assert b"max_rss" in finished.read(f"benchmarks/train/{GRNN}/seed0.tsv")
    assert not [path for path in (finished.folder / "results/micro/unfinished").rglob("*") if path.is_file()]


def test_params_are_checked_before_anything_runs(fresh: Project) -> None:
    def change(scale: dict[str, Any]) -> None:
        scale["translation"]["training"]["epoch"] = 2

    fresh.edit_params(change)
    ended = fresh.snakemake()
    assert ended.returncode != 0
    assert "translation.training.epoch: unknown key" in ended.stdout + ended.stderr
    assert not (fresh.folder / "results").exists()


def test_an_override_that_jobs_would_not_see_is_refused(fresh: Project) -> None:
    ended = fresh.snakemake("--config", "experiments=kth")
    assert ended.returncode != 0
    assert "only scale and allow_cpu" in ended.stdout + ended.stderr
