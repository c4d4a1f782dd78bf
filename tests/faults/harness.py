"""A small project whose stages all ran once, and what has to hold after a fault in one of them."""

import errno
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from fernn.data.kth.archives import RECORD as FETCHED
from fernn.data.kth.archives import contents
from fernn.experiments import load_params
from fernn.files import sha256, write_text
from fernn.layout import COST, RECORD, REPORT, Layout
from fernn.pipeline.jobs import Job, Jobs

ROOT = Path(__file__).parents[2]
SCALE = "faults"
SHARE = 1.0 if os.environ.get("FERNN_FAULTS") == "all" else 0.1  # of the faults that are tried
SEED = int(os.environ.get("FERNN_FAULTS_SEED", "0"))
NONE: dict[str, Any] = {"kind": "none"}
COUNTED: dict[tuple[str, ...], tuple[int, float]] = {}  # of commands, undisturbed

SMALL: dict[str, Any] = yaml.safe_load(f"""
allow_cpu: true
mnist: {{ folder: resources/mnist-subset, sources: [] }}
translation:
  data: &digits
    {{ frame: 14, digit: 7, seen: 2, predicted: 2, train: 8, validation: 4, test: 4,
      length: {{ sequences: 4, predicted: 5 }}, velocity: {{ sequences: 2, flow: V1T }} }}
  architecture: {{ hidden_channels: 2, decoder_layers: 1 }}
  models: {{ FERNN-V1T: {{ learning_rate: 0.01 }} }}
  training: {{ epochs: 3, batch: 4, threads: 1 }}
  seeds: [0]
  runs: [{{ flow: V1T, models: [FERNN-V1T], evaluate: [test, length, velocity] }}]
rotation:
  data: {{ <<: *digits, digit: 14, degrees: 30, velocity: {{ sequences: 2, flow: V1R }} }}
  architecture: {{ fields: 1, group_order: 12, decoder_layers: 1 }}
  models: {{ G-RNN: {{ learning_rate: 0.01 }} }}
  training: {{ epochs: 1, batch: 4, threads: 1 }}
  seeds: [0]
  runs: [{{ flow: V1R, models: [G-RNN], evaluate: [test] }}]
kth:
  source:
    folder: results/{SCALE}/downloads/kth
    stand_ins: {{ persons: [1, 2, 3], scenarios: [3], frames: 112, seed: 0 }}
  data:
    {{ frame: 12, frames: 4, stride: 2, draws: 0, persons: {{ train: [1], validation: [2], test: [3] }} }}
  architecture: {{ stem_channels: [2, 3, 4], cnn_base: 2 }}
  models: {{ 3D-CNN: {{ learning_rate: 0.01 }} }}
  training: {{ epochs: 2, batch: 8, threads: 1 }}
  seeds: [0]
  runs: [{{ flow: V1T, models: [3D-CNN], evaluate: [V1T] }}]
""")


@dataclass(frozen=True)
class Answer:
    """What became of a command."""

    status: int
    said: str
    operations: int
    seconds: float


class Server:
    """Runs commands in forks of one process that has everything loaded; `within` starts that one."""

    def __init__(self, *within: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        command = [*within, sys.executable, "-m", "tests.faults.server"]
        streams: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = subprocess.Popen(command, cwd=ROOT, env=environment, **streams)
        assert "ready" in self._answer()

    def __call__(self, folder: Path, *arguments: str, fault: dict[str, Any] = NONE) -> Answer:
        """Run `fernn` in a folder, with a fault."""
        assert self._process.stdin is not None
        request = {"folder": str(folder), "arguments": arguments, "fault": fault}
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return Answer(**self._answer())

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process that runs the commands has died"
        found: dict[str, Any] = json.loads(line)
        return found

    @property
    def root(self) -> Path:
        """The root of the file system that it sees."""
        return Path(f"/proc/{self._process.pid}/root")

    def close(self) -> None:
        """End it."""
        with self._process as process:
            assert process.stdin is not None
            process.stdin.close()


@dataclass
class Project:
    """A folder with params.yaml and all results of its scale."""

    folder: Path
    server: Server

    @property
    def jobs(self) -> Jobs:
        """By the params there."""
        return Jobs(load_params(self.folder / "params.yaml", SCALE), Layout(SCALE))

    def fernn(self, *arguments: str, fault: dict[str, Any] = NONE) -> Answer:
        """Run a command there."""
        scale = () if arguments[0] == "verify" else ("--scale", SCALE)  # records state the scale
        return self.server(self.folder, *arguments, *scale, fault=fault)

    def digests(self) -> dict[str, str]:
        """Of all files that are the same whenever they are made."""
        left_out = (*COST, REPORT)
        found = {
            str(path.relative_to(self.folder)): contents(path) if path.name == FETCHED else sha256(path)
            for path in sorted((self.folder / "results").rglob("*"))
            if path.is_file() and not path.name.endswith(RECORD) and path.name not in left_out
            if not {"locks", "unfinished", "superseded"} & set(path.parts)
        }
        return {name: digest for name, digest in found.items() if ".partial" not in name}

    @property
    def run(self) -> str:
        """The run of experiment A."""
        return next(run for run in self.jobs.runs if run.startswith("translation/"))

    def copy(self, folder: Path) -> "Project":
        """A copy, to change at will."""
        return Project(shutil.copytree(self.folder, folder, symlinks=True), self.server)

    def edit_params(self, change: Callable[[dict[str, Any]], Any]) -> None:
        """Change params.yaml, given the small scale; written as a whole, since another process may read it."""
        path = self.folder / "params.yaml"
        content = yaml.safe_load(path.read_text())
        change(content["scales"][SCALE])
        write_text(path, yaml.safe_dump(content, sort_keys=False))

    def leftovers(self) -> list[Path]:
        """What is half-written, under any name but a final one; of locks no file is ever removed."""
        found = (self.folder / "results").rglob("*.partial*")
        return [path for path in found if path.is_file() and "locks" not in path.parts]


def write_project(folder: Path) -> None:
    """The params of the small scale, and the digits."""
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    content["scales"] = {SCALE: SMALL}
    (folder / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    (folder / "resources").symlink_to(ROOT / "resources")
    for name in ("Snakefile", "workflow"):  # what the report draws
        (folder / name).symlink_to(ROOT / name)


def make_template(project: Project) -> Project:
    """Write the project and make all its results."""
    project.folder.mkdir(parents=True)
    write_project(project.folder)
    for stage in ("standins", "fetch", "dataset", "train", "evaluate", "tables", "figures", "report"):
        for command in [("fetch", "kth")] if stage == "fetch" else [of(job) for job in project.jobs.of(stage).values()]:
            ended = project.fernn(*command)
            assert ended.status == 0, f"{command}: {ended.said}"
    shutil.rmtree(project.folder / "results" / SCALE / "locks", ignore_errors=True)
    return project


def of(job: Job) -> tuple[str, ...]:
    """The command that makes a job's result."""
    return (job.stage, job.name) if job.name else (job.stage,)


@dataclass
class Trial:
    """A command whose result is removed and rebuilt, with a fault and then without.

    Attributes:
        template: the project after an undisturbed pass; never changed.
        command: without its options.
        outputs: files that are removed before it.
        server: runs it, if not that of the template.
    """

    template: Project
    command: tuple[str, ...]
    outputs: tuple[Path, ...]
    server: Server | None = None
    whole: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.whole = self.template.digests()

    def operations(self, folder: Path) -> tuple[int, float]:
        """How many operations on files it does, undisturbed, and how long it takes; counted once."""
        if self.command not in COUNTED:
            found = self.project(folder).fernn(*self.command, fault={"kind": "count"})
            assert found.status == 0, found.said
            shutil.rmtree(folder)
            COUNTED[self.command] = found.operations, found.seconds
        return COUNTED[self.command]

    def project(self, folder: Path) -> Project:
        """A copy without the outputs."""
        project = self.template.copy(folder)
        for path in self.outputs:
            (folder / path).unlink()
        project.server = self.server or project.server
        return project

    def crash(self, folder: Path, fault: dict[str, Any]) -> None:
        """The process dies; the same command then completes, and all is as if nothing had been."""
        project = self.project(folder)
        died = project.fernn(*self.command, fault=fault)
        assert died.status in (137, -9, 0), died.said  # 0: it was faster than the kill
        self._nothing_half_written(project)
        self._completes(project)
        shutil.rmtree(folder)

    def refuse(
        self,
        folder: Path,
        number: int,
        fault: dict[str, Any] = NONE,
        while_it_runs: AbstractContextManager[Any] | None = None,
    ) -> None:
        """The machine refuses from some point on; it says so in a sentence, and once it can, completes."""
        project = self.project(folder)
        with while_it_runs or nullcontext():
            failed = project.fernn(*self.command, fault=fault)
        assert "Traceback" not in failed.said, failed.said
        if failed.status == 0:  # what failed was no part of the result, such as a remark on the pace
            assert project.digests() == self.whole
        else:
            assert failed.status == 1, failed.said
            (told,) = [line for line in failed.said.splitlines() if line.startswith("fernn: ")]
            assert os.strerror(number).lower() in told.lower(), told
        self._nothing_half_written(project)
        self._completes(project)
        shutil.rmtree(folder)

    def beside_read_only(self, folder: Path) -> None:
        """All files that are there may not be written, as those that DVC links to its cache; it replaces its own."""
        project = self.template.copy(folder)
        cache = folder.with_name("cache")
        cache.mkdir()
        for number, path in enumerate((folder / "results").rglob("*")):
            if path.is_file() and "locks" not in path.parts:
                path.chmod(0o444)
                os.link(path, cache / str(number))
        kept = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in cache.iterdir()}
        (folder / self.outputs[-1]).unlink()  # its record: so that it is rebuilt over the existing files
        self._completes(project)
        # root may write to any file: the cache tells
        assert kept == {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in cache.iterdir()}
        shutil.rmtree(folder)
        shutil.rmtree(cache)

    def _nothing_half_written(self, project: Project) -> None:
        for name, digest in project.digests().items():
            assert digest == self.whole.get(name), f"{name} is half-written"

    def _completes(self, project: Project) -> None:
        ended = project.fernn(*self.command)
        assert ended.status == 0, ended.said
        found = project.digests()
        other = sorted(name for name in found.keys() | self.whole.keys() if found.get(name) != self.whole.get(name))
        assert not other, f"it ends otherwise: {other}"
        assert not project.leftovers(), f"left behind: {project.leftovers()}"


def drawn(cases: list[Any], name: str, most: int | None = None) -> list[Any]:
    """A seeded share of cases, or of `most` of them; at least one."""
    number = max(1, round(SHARE * min(len(cases), most or len(cases))))
    return sorted(random.Random(f"{SEED} {name}").sample(cases, number), key=cases.index)


FULL = {"a full disk": errno.ENOSPC, "a read-only folder": errno.EROFS, "a failing disk": errno.EIO}
