"""`python -m benchmarks.numerics`: do the verdicts of the quick scale hang on how this machine rounds?

Vendors of CPUs, instruction sets and thread counts sum in different orders. Each environment below runs the whole quick
scale in a clone of its own, in ten minutes of two cores; then their verdicts and the bytes of their models are compared.
What has finished is kept in --folder, so the same command resumes.
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
TIMES = "seconds_per_step"  # what else the machine did is in it


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
    """The verdict of each claim that was judged by numbers."""
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
        search = {"PYTHONPATH": str(path)}  # the package of the clone
        command = [sys.executable, "-m", "snakemake", "--cores", cores, "--config", "scale=quick"]
        subprocess.run(command, cwd=path, env=os.environ | search | ENVIRONMENTS[name], check=True)
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
    for path in others:
        same = [name for name, digest in models(path).items() if models(first).get(name) == digest]
        parts = ", ".join(
            f"{part} {sum(name.startswith(part) for name in same)} of {sum(name.startswith(part) for name in models(first))}"
            for part in ("translation", "rotation", "kth")
        )
        typer.echo(f"{path.name}: models with the bytes of {first.name}: {parts}")
    if flips:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(run)
