"""`python -m benchmarks.numerics`: do the verdicts of the quick scale hang on how this machine rounds?

CPUs, instruction sets and thread counts differ in the order in which they add numbers. Each environment below runs the
whole quick scale in its own clone (ten minutes on two cores). Then their verdicts and the bytes of their models are
compared. Finished results stay in --folder, so the same command resumes.
"""

import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from tabulate import tabulate

from fernn.files import sha256

ROOT = Path(__file__).parents[1]
ENVIRONMENTS = {
    "default": {},
    "torch-avx2": {"ATEN_CPU_CAPABILITY": "avx2"},  # PyTorch's own kernels
    "onednn-avx2": {"ONEDNN_MAX_CPU_ISA": "AVX2"},  # convolutions
    "two-threads": {},  # `threads` of params.yaml; sums are split
}
RESULTS = Path("results/quick")
TIMES = "seconds_per_step"


def clone(folder: Path, name: str) -> Path:
    """A clone of the last commit, with the numbers of threads that the environment has."""
    path = folder / name
    if not path.exists():
        subprocess.run(["git", "clone", "--quiet", ROOT, path], check=True)
        if name == "two-threads":
            params = path / "params.yaml"
            params.write_text(params.read_text().replace("threads: 1 }", "threads: 2 }"))
    return path


def claims(path: Path) -> dict[str, str]:
    """The verdict of each claim but those on times, which depend on what else the machine does."""
    with (path / RESULTS / "tables/claims.csv").open() as file:
        return {
            f"{row['experiment']}: {row['claim']}": row["verdict"]
            for row in csv.DictReader(file)
            if row["measure"] != TIMES
        }


def accuracies(path: Path) -> dict[str, float]:
    """The test accuracy of each model on the synthetic videos, mean over seeds."""
    with (path / RESULTS / "tables/table2.csv").open() as file:
        return {row["model"]: float(row["mean"]) for row in csv.DictReader(file)}


def models(path: Path) -> dict[str, str]:
    """The digest of each model file."""
    folder = path / RESULTS / "runs"
    return {str(file.relative_to(folder)): sha256(file) for file in sorted(folder.rglob("model.safetensors"))}


def run(
    environment: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(ENVIRONMENTS)}; may be repeated.")
    ] = None,
    folder: Annotated[Path, typer.Option(file_okay=False, help="Where the clones are.")] = ROOT / "build/numerics",
    cores: Annotated[str, typer.Option(help="Cores for Snakemake.")] = "all",
) -> None:
    """Run the quick scale in several numerical environments and compare the verdicts."""
    names = environment or list(ENVIRONMENTS)
    for name in names:
        path = clone(folder, name)
        typer.echo(f"{name}: {path}", err=True)
        package = {"PYTHONPATH": str(path)}  # that of the clone, not of this environment
        command = [sys.executable, "-m", "snakemake", "--cores", cores, "--config", "scale=quick"]
        subprocess.run(command, cwd=path, env=os.environ | package | ENVIRONMENTS[name], check=True)
    first, *others = (folder / name for name in names)
    verdicts = {name: claims(folder / name) for name in names}
    flips = {
        claim for claim, verdict in verdicts[names[0]].items() if {v.get(claim) for v in verdicts.values()} != {verdict}
    }
    rows = [[claim, *(verdicts[name].get(claim) for name in names)] for claim in sorted(flips)]
    typer.echo(
        tabulate(rows, ["claim", *names]) if rows else f"The same verdict on all {len(verdicts[names[0]])} claims."
    )
    scores = {name: accuracies(folder / name) for name in names}
    typer.echo("\nAccuracy on the synthetic videos:")
    typer.echo(
        tabulate([[model, *(scores[name][model] for name in names)] for model in scores[names[0]]], ["model", *names])
    )
    digests = models(first)
    for path in others:
        same = [name for name, digest in models(path).items() if digests.get(name) == digest]
        for experiment in ("translation", "rotation", "kth"):
            equal, total = (sum(name.startswith(experiment) for name in names) for names in (same, digests))
            typer.echo(f"{path.name}, {experiment}: {equal} of {total} models have the bytes of {first.name}")
    if flips:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(run)
