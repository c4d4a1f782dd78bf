"""`make fuzz`: files for each reader by a fuzzer that is guided by what code they reach (atheris, by libFuzzer).

Each reader may refuse a file with its error, or read it; anything else is a crash, and the file is kept. It needs
`pip install atheris`, which no other target does.
"""

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Annotated, Any

import typer
from tabulate import tabulate

from tests.faults.page import write_table

SEEDS, FOUND = "seeds", "found"
NAMES = ("IDX", "annotations", "zip", "AVI", "params", "arrays", "models", "checkpoints", "records")
MEMBER = "person01_walking_d3_uncomp.avi"


def seeds(folder: Path) -> None:
    """A good file for each reader, from which the fuzzer starts."""
    from tests.faults.harness import Project, Server, commands, write_project
    from tests.faults.test_damaged import DOWNLOADS, READERS

    project = Project(folder / "project", Server())
    project.folder.mkdir()
    write_project(project.folder)
    for command in commands(project.jobs):
        assert project.fernn(*command).status == 0
    project.server.close()
    for name in NAMES:
        (folder / SEEDS / name).mkdir(parents=True)
        if name in READERS:
            READERS[name].write(folder / SEEDS / name / "good")
    source = project.folder / DOWNLOADS
    shutil.copy(source / "00sequences.txt", folder / SEEDS / "annotations/good")
    shutil.copy(project.folder / "params.yaml", folder / SEEDS / "params/good")
    shutil.copy(next(project.folder.glob("results/faults/runs/**/record.json")), folder / SEEDS / "records/good")
    with zipfile.ZipFile(source / "walking.zip") as archive:
        video = archive.read(MEMBER)
    (folder / SEEDS / "AVI/good").write_bytes(video)
    with zipfile.ZipFile(folder / SEEDS / "zip/good", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MEMBER, b"some bytes of a video")


def fuzz(name: str, folder: Path, seconds: int) -> None:
    """Fuzz one reader; this process ends with it."""
    import atheris

    with atheris.instrument_imports(include=["fernn", "zipfile", "yaml", "safetensors"]):
        import torch

        from fernn.arrays import read_arrays
        from fernn.data.kth.archives import check_archive
        from fernn.data.kth.decode import decode_video
        from fernn.data.kth.release import read_annotations
        from fernn.data.mnist import read_idx
        from fernn.errors import FernnError
        from fernn.experiments import load_params
        from fernn.models import load_model
        from fernn.provenance.records import read_record
        from fernn.training.checkpoint import UnusableCheckpointError, read_checkpoint

    torch.set_num_threads(1)
    readers: dict[str, Any] = {
        "IDX": read_idx,
        "annotations": read_annotations,
        "zip": lambda path: check_archive(path, {MEMBER}),
        "AVI": lambda path: decode_video(path.read_bytes(), 12, 40),
        "params": lambda path: load_params(path, "faults"),
        "arrays": read_arrays,
        "models": load_model,
        "checkpoints": lambda path: read_checkpoint(path, torch.device("cpu")),
        "records": read_record,
    }
    read, path = readers[name], folder / f"{name}.file"

    def once(content: bytes) -> None:
        path.write_bytes(content)
        try:
            read(path)
        except (FernnError, UnusableCheckpointError) as error:
            assert str(error), "it says nothing"

    options = [
        f"-max_total_time={seconds}",
        "-print_final_stats=1",
        "-rss_limit_mb=4096",
        "-timeout=60",
        "-verbosity=1",
    ]
    kept = folder / FOUND / name
    kept.mkdir(parents=True, exist_ok=True)
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={kept}/", str(folder / SEEDS / name)], once)
    atheris.Fuzz()


def main(
    seconds: Annotated[int, typer.Option(help="For each reader.")] = 60,
    folder: Annotated[Path, typer.Option(help="Seeds, and files that crash a reader, are kept there.")] = Path(
        "build/fuzz"
    ),
    reader: Annotated[str | None, typer.Option(help="This one alone, in this process.")] = None,
    page: Annotated[Path | None, typer.Option(help="Write the table there, where it has its place.")] = None,
) -> None:
    """Fuzz all readers, one after another."""
    folder = folder.resolve()
    if reader:
        fuzz(reader, folder, seconds)
    if not (folder / SEEDS).exists():
        folder.mkdir(parents=True, exist_ok=True)
        seeds(folder)
    rows, crashed = [], []
    for name in NAMES:
        command = [sys.executable, "-m", "tests.faults.fuzz", f"--reader={name}", f"--seconds={seconds}"]
        ended = subprocess.run([*command, f"--folder={folder}"], capture_output=True, text=True, errors="replace")
        (folder / f"{name}.log").write_text(ended.stdout + ended.stderr, encoding="utf-8")
        if not (ran := re.search(r"stat::number_of_executed_units:\s*(\d+)", ended.stderr)):
            raise SystemExit(f"{name} was not fuzzed:\n{ended.stdout[-1000:]}{ended.stderr[-2000:]}")
        crashes = len(
            [path for path in (folder / FOUND / name).iterdir() if path.name.startswith(("crash", "oom", "timeout"))]
        )
        crashed += [name] * bool(ended.returncode)
        rows.append([name, int(ran[1]), seconds, crashes])
        typer.echo(f"{name}: {int(ran[1]):,} files, {crashes} crashes", err=True)
    table = tabulate(rows, ["reader", "files", "seconds", "crashes"], tablefmt="pipe", intfmt=",")
    typer.echo(table)
    if crashed:
        raise SystemExit(f"crashed: {', '.join(crashed)}; see {folder}/{FOUND} and the logs beside it")
    if page is not None:
        write_table(page, "make fuzz", table)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app()
