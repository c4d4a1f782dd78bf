"""`python -m benchmarks`: measure the library's speedup over the baseline, and write docs/performance.md.

One part's sections alone are renewed by `make bench ARGS="--only cost --output docs/performance.md"`, with the --rounds
of the page.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import cost, kth, pace, rotation, translation
from benchmarks.report import ROOT, Options, page, sections
from fernn.errors import FernnError
from fernn.experiments import load_params
from fernn.files import write_text
from fernn.training.device import choose_device, prepare

EXPERIMENTS = {  # each gives its tables
    "translation": translation.measure,
    "alone": translation.alone,
    "rotation": rotation.measure,
    "kth": kth.measure,
    "cost": cost.measure,
    "pace": pace.measure,  # on a GPU
}
Part = StrEnum("Part", list(EXPERIMENTS))  # type: ignore[misc]


def run(
    rounds: Annotated[int, typer.Option(min=1, help="How often the ways take turns.")] = 5,
    batch: Annotated[
        int | None,
        typer.Option(min=1, help="Sequences in a training step [default: few on a CPU, more on a GPU]."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes, to see that it runs; writes no file.")] = False,
    only: Annotated[
        list[Part] | None,
        typer.Option(help="Measure this part alone, and print it; may be given again. --output: renew its sections."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False,
            help="The page to write, pictures in images/ beside it; with --only its other sections stay "
            "[default: docs/performance.md; none with --only or --quick].",
        ),
    ] = None,
) -> None:
    """Measure training steps and data against a plain implementation, at the paper's sizes."""
    params = load_params(ROOT / "params.yaml", "quick" if quick else "paper")
    device = choose_device(params.scale, allow_cpu=True)
    prepare(device, threads=0, precision="float32", transformed=True)
    options = Options(params, device, rounds, batch, lambda line: typer.echo(line, err=True))
    if output is None and not quick and not only:
        output = ROOT / "docs" / "performance.md"
    try:  # before anything is measured
        kept = sections(options, output) if only and output is not None and output.exists() else {}
    except FernnError as error:
        raise typer.BadParameter(str(error), param_hint="--output") from None
    tables = [table for name in only or EXPERIMENTS for table in EXPERIMENTS[name](options)]
    typer.echo(page(options, tables))
    if output is not None:
        for table in tables:
            if table.picture is not None:
                table.picture.write(output)
        write_text(output, page(options, tables, kept))
        typer.echo(f"written to {output}", err=True)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(run)
    app()
