"""A throw-away copy of the project with a scale of its own, small enough to run the real workflow in a test."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from filelock import FileLock

from fernn.files import sha256
from fernn.layout import COST, KEPT
from tests.faults.ledger import ledger

__all__ = ["ledger"]
ROOT = Path(__file__).parents[2]
SNAKEMAKE = ("snakemake", "--cores", "all", "--config", "scale=micro")
PARTS = ["Snakefile", "params.yaml", "profiles", "slurm", "workflow", "fernn", "resources", "dvc.yaml", ".dvcignore"]
PARTS += [".dvc/config", ".dvc/.gitignore", ".gitignore", ".gitattributes", "artifacts/README.md", "README.md"]
PARTS += ["equivalent.json", "CITATION.cff", "LICENSE", "Makefile", "pyproject.toml", "requirements"]

MICRO: dict[str, Any] = yaml.safe_load("""
allow_cpu: true
experiments: [translation]
mnist: { folder: resources/mnist-subset, sources: [] }
translation:
  data:
    { frame: 14, digit: 7, seen: 2, predicted: 2, train: 8, validation: 4, test: 4,
      length: { sequences: 4, predicted: 5 }, velocity: { sequences: 2, flow: V1T } }
  architecture: { hidden_channels: 2, decoder_layers: 1 }
  models: { G-RNN: { learning_rate: 0.01 }, FERNN-V1T: { learning_rate: 0.01 }, FERNN-V2T: { learning_rate: 0.01 } }
  training: { epochs: 1, batch: 4, threads: 1 }
  seeds: [0]
  runs:
    - { flow: V2T, models: [G-RNN, FERNN-V1T], evaluate: [test, length] }
    - { flow: V1T, models: [FERNN-V1T], evaluate: [velocity] }
""")
# the whole way once: Snakemake, DVC's repro, push and pull, and that nothing is left to do; and one dry run
QUICK = {"test_it_has_nothing_to_do", "test_a_dry_run_changes_nothing"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What works with a project is slow, but for the whole way once; it starts first, since it takes longest."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and {"finished", "fresh"} & set(item.fixturenames) and item.name not in QUICK:
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: here not in item.path.parents)


@dataclass
class Project:
    """A copy of the project in a folder of its own."""

    folder: Path

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the real command."""
        return self.run(*SNAKEMAKE, *arguments)

    def run(self, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run any command in the copy, with more variables of the environment."""
        environment = {**self.environment, **more}
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)

    def start(self, *command: str, log: Path, **more: str) -> subprocess.Popen[bytes]:
        """Start a command in a session of its own; what it says goes to a file."""
        with log.open("ab") as said:
            streams: dict[str, Any] = {"stdout": said, "stderr": said, "start_new_session": True}
            return subprocess.Popen(command, cwd=self.folder, env={**self.environment, **more}, **streams)

    def must(self, *command: str, **more: str) -> str:
        """Run a command that must succeed; what it printed."""
        ended = self.run(*command, **more)
        assert ended.returncode == 0, f"{' '.join(command)}\n{ended.stdout}{ended.stderr}"
        return ended.stdout + ended.stderr

    def fernn(self, *arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        """Run `fernn` for the small scale."""
        scale = () if arguments[0] == "verify" else ("--scale", "micro")  # records state the scale
        return self.run("fernn", *map(str, arguments), *scale, **more)

    @property
    def environment(self) -> dict[str, str]:
        """The copy's library goes before the installed one; DVC and git know of nothing outside."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        own = {name: str(self.folder.parent / name) for name in ("DVC_SITE_CACHE_DIR", "DVC_GLOBAL_CONFIG_DIR")}
        person = {
            f"GIT_{role}_{what}": "nobody@localhost" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "DVC_"))}
        return {**inherited, **own, **person, "PATH": path, "PYTHONPATH": str(self.folder)}

    def makes(self, *arguments: str) -> str:
        """Run Snakemake, which must succeed; what it printed."""
        return self.must(*SNAKEMAKE, *arguments)

    def planned(self) -> set[str]:
        """The jobs that a dry run would run, by their messages, but for the closing one."""
        return jobs(self.makes("--dry-run"))

    def edit_params(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the small scale."""
        path = self.folder / "params.yaml"
        content = yaml.safe_load(path.read_text())
        change(content["scales"]["micro"])
        path.write_text(yaml.safe_dump(content, sort_keys=False))

    def read(self, path: str) -> bytes:
        """A result's bytes."""
        return (self.folder / "results/micro" / path).read_bytes()


class Clone(Project):
    """A copy that is a repository of git and of DVC."""

    def git(self, *arguments: str) -> str:
        """Run git; it must succeed. What it printed."""
        return self.must("git", *arguments)

    def dvc(self, *arguments: str, **more: str) -> str:
        """Run DVC; it must succeed. What it printed, with the output of what it ran."""
        return self.must("dvc", *arguments, **more)

    def link_to_cache(self, links: str) -> None:
        """Pull results as hard or symbolic links to the cache of DVC."""
        self.dvc("config", "--local", "cache.type", links)
        self.dvc("pull")
        model = next((self.folder / "results/micro/runs").rglob("model.safetensors"))
        assert model.is_symlink() == (links == "symlink")
        assert (model.stat().st_nlink > 1) == (links == "hardlink")

    def up_to_date(self) -> bool:
        """Whether DVC says so."""
        return "Data and pipelines are up to date." in self.dvc("status")

    def results(self) -> dict[str, str]:
        """Digests of all results that are the same whenever they are made."""
        base = self.folder / "results/micro"
        made = [path for name in KEPT for path in (base / name).rglob("*")]
        made = [path for path in made if path.is_file() and not path.name.endswith(("record.json", *COST))]
        return {str(path.relative_to(base)): sha256(path) for path in made}


def jobs(text: str) -> set[str]:
    """The jobs that Snakemake ran, or would run, by their messages: one line for each, or a row of a table."""
    ran = re.findall(r"^Job \d+(?: again)?: (.+)$", text, re.MULTILINE)
    table = re.search(r"^ job .*\n (?:\S+)\s*\n((?: \S.*\n)+)", text, re.MULTILINE)
    return {*ran, *(re.split(" {2,}", row.strip())[0] for row in (table[1].splitlines() if table else []))}


def make_project(folder: Path) -> Project:
    for part in PARTS:
        source = ROOT / part
        (folder / part).parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / part)
    path = folder / "params.yaml"
    content = yaml.safe_load(path.read_text())
    content["scales"]["micro"] = MICRO
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    stages = (folder / "dvc.yaml").read_text().replace("kept: [quick]", "kept: [micro]").replace("/quick/", "/micro/")
    shown = [line for line in stages.splitlines() if "figures/kth" not in line and "figures/rotation" not in line]
    (folder / "dvc.yaml").write_text("\n".join(shown) + "\n")
    return Project(folder)


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that all processes of a parallel session share; the first that asks makes it, and others wait."""
    shared = factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else factory.getbasetemp()
    folder, done = shared / name / "project", shared / name / "done"
    with FileLock(shared / f"{name}.lock"):
        if not done.exists():
            shutil.rmtree(folder.parent, ignore_errors=True)  # what failed half-way
            folder.mkdir(parents=True)
            make(folder)
            done.touch()
    return folder


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose workflow has run once; only for tests that do not change it."""

    def make(folder: Path) -> None:
        make_project(folder).makes()

    made = made_once(tmp_path_factory, "finished", make)
    # one for each process of a parallel session: a Snakemake has its project to itself
    return Project(shutil.copytree(made, tmp_path_factory.mktemp("finished") / "project"))


@pytest.fixture(scope="session")
def origin(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A repository whose results DVC keeps, in its remote in the repository; only for tests that do not change it."""

    def make(folder: Path) -> None:
        shutil.copytree(finished.folder, folder, dirs_exist_ok=True)
        repository = Clone(folder)
        repository.git("init", "--quiet", "--initial-branch=main")
        repository.dvc("repro")
        repository.dvc("push")
        repository.git("add", "--all")
        repository.git("commit", "--quiet", "--message=All that a clone needs")

    return Clone(made_once(tmp_path_factory, "origin", make))


@pytest.fixture
def clone(origin: Clone, tmp_path: Path) -> Clone:
    """A clone of that repository as git makes it: without results."""
    origin.git("clone", "--quiet", "--local", str(origin.folder), str(tmp_path / "clone"))
    return Clone(tmp_path / "clone")


@pytest.fixture(scope="session")
def pulled_once(origin: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone after `dvc pull`, to be copied; only for tests that do not change it."""

    def make(folder: Path) -> None:
        origin.git("clone", "--quiet", "--local", str(origin.folder), str(folder))
        Clone(folder).dvc("pull")

    return Clone(made_once(tmp_path_factory, "pulled", make))


@pytest.fixture
def pulled(pulled_once: Clone, tmp_path: Path) -> Clone:
    """A clone after `dvc pull`, to change at will: a copy, which takes less time than another pull."""
    return Clone(shutil.copytree(pulled_once.folder, tmp_path / "clone", symlinks=True))


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished project, with all its times, to change at will."""
    shutil.copytree(finished.folder, tmp_path / "project")
    return Project(tmp_path / "project")


@pytest.fixture
def fresh(tmp_path: Path) -> Project:
    """A project in which nothing has run."""
    folder = tmp_path / "fresh"
    folder.mkdir()
    return make_project(folder)
