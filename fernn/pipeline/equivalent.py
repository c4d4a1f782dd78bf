"""`fernn equivalent`: whether today's code makes the results that other code made, byte for byte.

Digests of code see every edit. Most edits change no result, and training again costs days. So both codes run the same
small trainings, evaluations, tables and figures, the probe. Where all bytes agree, the results of one are those of the
other. `probe.yaml` lists what is run, `probe.py` runs it with one code, and this module compares.
"""

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, suppress
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml

from fernn.errors import FernnError
from fernn.experiments import load_params
from fernn.experiments.loading import read_yaml
from fernn.files import sha256, write_json
from fernn.layout import Layout
from fernn.pipeline.audit import Audit, Status
from fernn.pipeline.jobs import Job, Jobs
from fernn.provenance.code import PACKAGE
from fernn.provenance.environment import environment
from fernn.provenance.lineages import FILE, Probe, add_probe
from fernn.provenance.records import Record, identity, now, read_record
from fernn.sources import source_of

DRIVER, SPEC = Path(__file__).with_name("probe.py"), Path(__file__).with_name("probe.yaml")
CACHE = PACKAGE.parent / "build" / "probe"
SHOWN = 15  # last lines of a driver that failed

Pairs = dict[str, dict[str, tuple[str, str]]]  # by scale and job, the lineages by other code and by today's


class Outcome(NamedTuple):
    """What the probe shows of the code of a commit."""

    same: Pairs  # of the jobs whose bytes agree
    differs: dict[str, list[str]]  # the files that differ, by job of the probe
    device: str  # what torch computed on


def show_equivalent(
    results: Sequence[Path], params_file: Path, commit: str | None, agreeing: bool, say: Callable[[str], None]
) -> bool:
    """Run the probe for the commits that made results, and write what it shows; returns whether all bytes agree.

    Results are folders such as results/quick, or unpacked archives. Without `commit`, their records name the commits.
    If some stages differ, the others are only written if `agreeing`. FernnError if there are no results, or the code of
    a commit cannot be found or run.
    """

    def outdated() -> list[tuple[str, Job, Record]]:
        return [each for folder in results for each in _outdated(folder, params_file.absolute())]

    if not (todo := outdated()):
        say("Every result here is of today's lineage, or known to be equivalent.")
        return True
    scales, good = {scale for scale, *_ in todo}, True
    for tried in [_full(commit)] if commit else _commits(todo):
        if not commit and not any(_commit(record) == tried for *_, record in todo):
            continue  # another commit's code was the same
        say(f"{tried[:12]}: running the probe with its code and with today's (some minutes)")
        outcome = probe(tried, params_file, scales)
        for job, files in outcome.differs.items():
            say(f"DIFFERS: {job}: {', '.join(files)}")
        if outcome.differs and not agreeing:
            say("Nothing was written: these results must be rebuilt. --agreeing writes the stages that agree.")
            return False
        _write(tried, outcome)
        say(f"{FILE.name}: {sum(map(len, outcome.same.values()))} results of {tried[:12]} are those of today's code")
        todo, good = outdated(), good and not outcome.differs
    for scale, each, record in todo:
        say(
            f"OUTDATED: {each} of scale {scale}: the probe differs in it or in its inputs, or it was made by other "
            f"params, or by code that differs from {_commit(record)[:12]}"
        )
    return good and not todo


def probe(commit: str, params_file: Path, scales: set[str]) -> Outcome:
    """Make all results of the probe by the code of a commit (in full), rebuild each by today's code, and compare.

    `scales` are those whose lineages are wanted.

    Raises:
        FernnError: if either code cannot run the probe.
    """
    spec = yaml.safe_load(SPEC.read_bytes())
    wanted = sorted({*scales, *spec["scales"]})
    task = {"stages": spec["stages"], "workers": spec["workers"], "scales": wanted}
    with tempfile.TemporaryDirectory(prefix="fernn-probe-") as name:
        today = Path(name, "today")
        for path in (path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
            copy = today / "fernn" / path.relative_to(PACKAGE)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(source_of(path))
        shutil.copytree(PACKAGE.parent / "resources", today / "resources")
        before = Path(name, "before")
        with zipfile.ZipFile(io.BytesIO(_git("archive", "--format=zip", commit, "fernn"))) as archive:
            archive.extractall(before)
        shutil.copytree(PACKAGE.parent / "resources", before / "resources")
        _write_params(commit, params_file, spec["scales"], before, today)
        before, made = _made(before, {**task, "again": None})
        shutil.copytree(before / "results", today / "results", ignore=shutil.ignore_patterns("locks", "unfinished"))
        lineages = _drive(today, {**task, "again": []})["lineages"]
        pairs: Pairs = {
            scale: {job: (then[job], now_) for job, now_ in lineages[scale].items() if job in then}
            for scale, then in made["lineages"].items()
        }
        # each stage reads results of the other code, which today's code must accept
        _write(commit, Outcome(pairs, {}, made["device"]), today / FILE.name)
        with chdir(today):
            again = []
            for scale, stage, name in made["jobs"]:  # those that an edit touches
                job = _jobs(scale).find(stage, name)
                record = read_record(job.record)
                if record is None or record.job != job.digest:
                    again.append((scale, stage, name))
        compared = _drive(today, {**task, "workers": made["workers"], "scales": [], "again": again})
        with chdir(today):
            ran = {kind for scale in spec["scales"] for job in _jobs(scale).all.values() for kind in _kinds(job)}
            for scale, stage, name in made["jobs"]:
                if " ".join((scale, stage, name)).rstrip() in compared["differs"]:
                    ran -= _kinds(_jobs(scale).find(stage, name))
            same = {scale: dict(_covered(_jobs(scale), pairs[scale], ran)) for scale in sorted(scales)}
    return Outcome(same, compared["differs"], made["device"])


def _made(tree: Path, task: dict[str, Any]) -> tuple[Path, dict[str, Any]]:
    """The folder in which the code of `tree` made all results, and the driver's output; cached for the next call."""
    contents = {path.relative_to(tree).as_posix(): sha256(path) for path in tree.rglob("*") if path.is_file()}
    kept = CACHE / identity(
        [contents, task, _digest(), torch.__version__, environment("cpu")["determinism"]["rounding"]]
    )
    if not kept.exists():
        found = _drive(tree, task)
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as whole:
            copy = shutil.copytree(tree, Path(whole, "tree"))
            write_json(copy / "made.json", found)
            with suppress(OSError):  # another process was faster
                copy.rename(kept)
    return kept, json.loads((kept / "made.json").read_text(encoding="utf-8"))


def _outdated(folder: Path, params_file: Path) -> Iterator[tuple[str, Job, Record]]:
    root, base = (Path.cwd(), folder) if folder.parent.name == "results" else (folder, folder / "results")
    bases = [folder] if root == Path.cwd() else [path for path in sorted(base.glob("*")) if path.is_dir()]
    if not bases or not folder.is_dir():
        raise FernnError(f"{folder}: no results. Name a folder such as results/quick, or an unpacked archive.")
    with chdir(root):
        for scale in (path.name for path in bases):
            audit = Audit(Jobs(load_params(params_file, scale), Layout(scale)))
            for job in audit.jobs.all.values():
                found, of = audit.of(job), (job.stage, job.name)
                if found.status is Status.OUTDATED and found.record and of == (found.record.stage, found.record.name):
                    yield scale, job, found.record


def _commit(record: Record) -> str:
    return (record.environment.get("commit") or {}).get("id") or "no commit"


def _commits(results: Sequence[tuple[str, Job, Record]]) -> list[str]:
    """The commits whose code made results, the latest first."""
    latest = sorted((record for *_, record in results), key=lambda record: record.ended, reverse=True)
    return [commit for commit in dict.fromkeys(map(_commit, latest)) if commit != "no commit"]


def _git(*arguments: str) -> bytes:
    try:
        ended = subprocess.run(["git", *arguments], cwd=PACKAGE.parent, capture_output=True)
    except FileNotFoundError:
        raise FernnError("git is not installed; the code of a commit is read with it.") from None
    if ended.returncode:
        said = ended.stderr.decode(errors="replace").strip()
        raise FernnError(f"git {' '.join(arguments)}: {said}. Does this clone lack the commit (git fetch --unshallow)?")
    return ended.stdout


def _full(commit: str) -> str:
    return _git("rev-parse", "--verify", f"{commit}^{{commit}}").decode().strip()


def _write_params(commit: str, params_file: Path, scales: dict[str, Any], before: Path, today: Path) -> None:
    """Today's params for both codes, or those of the commit if its code does not read today's.

    An experiment that the commit did not have yet is left out for its code.
    """
    new, old = read_yaml(params_file), yaml.safe_load(_git("show", f"{commit}:params.yaml"))
    for each in (new, old):
        content = {**each, "scales": {**each["scales"], **scales}}
        known = {key: value for key, value in content.items() if key in old}
        for tree, params in ((before, known), (today, new | content)):
            (tree / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
        ended = [_python(tree, "-m", "fernn.cli", "params", "--scale", "probe") for tree in (before, today)]
        if not any(run.returncode for run in ended):
            return
    said = "\n".join(run.stderr for run in ended if run.returncode)
    raise FernnError(f"neither today's params nor those of {commit[:12]} can be read by both codes:\n{said}")


def _python(tree: Path, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(tree), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-P", *arguments]
    return subprocess.run(
        command, cwd=tree, env={**os.environ, "PYTHONPATH": path}, input=given, capture_output=True, text=True
    )


def _drive(tree: Path, task: dict[str, Any]) -> dict[str, Any]:
    ended = _python(tree, str(DRIVER), "found.json", given=json.dumps(task))
    if ended.returncode:
        said = "\n".join((ended.stdout + ended.stderr).splitlines()[-SHOWN:])
        raise FernnError(f"the code of {tree.name} cannot run the probe:\n{said}")
    found: dict[str, Any] = json.loads((tree / "found.json").read_text(encoding="utf-8"))
    return found


def _jobs(scale: str) -> Jobs:
    return Jobs(load_params("params.yaml", scale), Layout(scale))


def _kinds(job: Job) -> set[tuple[str, ...]]:
    """What the probe must have run for a job: its stage, experiment, class of model, and each of its tests."""
    experiment = job.name.partition("/")[0] if job.stage in ("dataset", "train", "evaluate") else ""
    model = str((job.inputs.get("model") or {}).get("kind", ""))
    tests = (job.inputs.get("tests") or job.inputs.get("flows") or [""]) if job.stage == "evaluate" else [""]
    return {(job.stage, experiment, model, test) for test in tests}


def _covered(
    jobs: Jobs, pairs: dict[str, tuple[str, str]], ran: set[tuple[str, ...]]
) -> Iterator[tuple[str, tuple[str, str]]]:
    """The jobs that the probe covers, with all that they are made of; those that no edit touched are left out."""
    covered: set[Job] = set()
    for job in jobs.all.values():  # in order of dependency
        if _kinds(job) <= ran and covered.issuperset(jobs.before(job)) and str(job) in pairs:
            covered.add(job)
            before, today = pairs[str(job)]
            if before != today:
                yield str(job), (before, today)


def _write(commit: str, outcome: Outcome, path: Path = FILE) -> None:
    about = {"time": now(), "machine": environment()["device"], "torch": torch.__version__, "probe": _digest()}
    probe = {"commit": commit, "device": outcome.device, "lineages": outcome.same, **about}
    add_probe(Probe.model_validate(probe), path)


def _digest() -> str:
    return identity([sha256(DRIVER), sha256(SPEC)])
