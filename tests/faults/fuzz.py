"""`make fuzz`: files for each reader by a fuzzer that is guided by what code they reach (atheris, by libFuzzer).

Each reader may refuse a file with its error, or read it; anything else is a crash, and the file is kept. It needs
`pip install atheris`, which no other target does.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from tabulate import tabulate

from tests.faults.ledger import write_table

SEEDS, FOUND = "seeds", "found"


def write_seeds(folder: Path) -> None:
    """A good file for each reader, from which the fuzzer starts."""
    from tests.faults.harness import Project, Server, make_template
    from tests.faults.test_damaged import READERS

    server = Server()
    project = make_template(Project(folder / "project", server))
    server.close()
    for name, reader in READERS.items():
        (folder / SEEDS / name).mkdir(parents=True)
        reader.write(project, folder / SEEDS / name / "good")


def fuzz(name: str, folder: Path, seconds: int) -> None:
    """Fuzz one reader; this process ends with it."""
    import atheris

    with atheris.instrument_imports(include=["fernn", "zipfile", "yaml", "safetensors"]):
        import torch

        from tests.faults.test_damaged import READERS

    torch.set_num_threads(1)
    reader, path = READERS[name], folder / "files" / name / READERS[name].name
    path.parent.mkdir(parents=True, exist_ok=True)

    def once(content: bytes) -> None:
        path.write_bytes(content)
        try:
            reader.read(path)
        except reader.refuses as error:
            assert str(error), "it says nothing"

    kept = folder / FOUND / name
    kept.mkdir(parents=True, exist_ok=True)
    options = ["-print_final_stats=1", "-rss_limit_mb=4096", "-timeout=60", "-verbosity=1"]
    options += [f"-max_total_time={seconds}", f"-artifact_prefix={kept}/"]
    atheris.Setup([sys.argv[0], *options, str(folder / SEEDS / name)], once)
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
        write_seeds(folder)
    rows, crashed = [], []
    for name in sorted(path.name for path in (folder / SEEDS).iterdir()):
        command = [sys.executable, "-m", "tests.faults.fuzz", f"--reader={name}", f"--seconds={seconds}"]
        ended = subprocess.run([*command, f"--folder={folder}"], capture_output=True, text=True, errors="replace")
        (folder / f"{name}.log").write_text(ended.stdout + ended.stderr, encoding="utf-8")
        if not (ran := re.search(r"stat::number_of_executed_units:\s*(\d+)", ended.stderr)):
            raise SystemExit(f"{name} was not fuzzed:\n{ended.stdout[-1000:]}{ended.stderr[-2000:]}")
        found = [path.name for path in (folder / FOUND / name).iterdir()]
        crashes = sum(each.startswith(("crash", "oom", "timeout")) for each in found)
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
    typer.run(main)
