"""The stages of the pipeline over any experiment: read the params, do the work, leave result and record."""

import csv
import importlib.util
import io
import pkgutil
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import fernn.experiments
from fernn.errors import FernnError
from fernn.files import sha256, write_json, write_text
from fernn.params import Params
from fernn.provenance.digests import PACKAGE, code_digest
from fernn.provenance.records import NAME, Maker
from fernn.runs import Layout, Run, all_runs, evaluations_of, find_run

if TYPE_CHECKING:
    from fernn.data.kth.release import Release


def plan_of(experiment: str) -> ModuleType:
    """The plan of an experiment: what its stages depend on, and the stages.

    Raises:
        FernnError: if this version has no code for it.
    """
    try:
        return importlib.import_module(f"fernn.experiments.{experiment}.plan")
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("fernn.experiments"):
            raise
        packages = (f"fernn.experiments.{module.name}" for module in pkgutil.iter_modules(fernn.experiments.__path__))
        known = [name.rpartition(".")[2] for name in packages if importlib.util.find_spec(f"{name}.plan")]
        raise FernnError(f"experiment {experiment!r}: this version can run {', '.join(sorted(known))}.") from None


def dataset_inputs(params: Params, experiment: str, part: str) -> dict[str, Any]:
    """Everything that a part of a data set depends on besides what other stages make, as plain values."""
    plan = plan_of(experiment)
    carried = {path.as_posix(): sha256(path) for path in carried_files(params, experiment, part) if path.exists()}
    code = code_digest(plan.dataset_code(part))
    return {**asdict(plan.dataset_inputs(params, part)), **({"carried": carried} if carried else {}), "code": code}


def carried_files(params: Params, experiment: str, part: str) -> list[Path]:
    """The files of the repository that a part is made from: their times mean nothing, that of a checkout at best."""
    files = plan_of(experiment).dataset_files(params, Layout(params.scale), part).values()
    return [path for path in files if not params.mnist.sources and path.parent == Path(params.mnist.folder)]


def train_inputs(params: Params, run: Run) -> dict[str, Any]:
    """Everything that a run depends on besides its files, as plain values."""
    inputs = asdict(plan_of(run.experiment).train_inputs(params, run))
    code = code_digest(f"fernn.experiments.{run.experiment}.train"), code_digest("fernn.training.device")
    return {**inputs, "code": "-".join(code)}


def evaluate_inputs(params: Params, run: Run) -> dict[str, Any]:
    """Everything that an evaluation depends on besides its files, as plain values."""
    inputs = asdict(plan_of(run.experiment).evaluate_inputs(params, run))
    return {**inputs, "code": code_digest(f"fernn.experiments.{run.experiment}.evaluate")}


def results_inputs(params: Params, kind: str) -> dict[str, Any]:
    """Everything that "tables" or "figures" depend on besides their files, as plain values."""
    runs = {run.id: evaluations_of(params, run) for run in all_runs(params).values()}
    paper = sha256(PACKAGE / "results" / "published.yaml")
    return {"scale": params.scale, "runs": runs, "paper": paper, "code": code_digest(f"fernn.results.{kind}")}


def standins_inputs(params: Params) -> dict[str, Any]:
    """Everything that the stand-ins depend on, as plain values."""
    wanted = params.kth.source.stand_ins
    return {**(wanted.model_dump() if wanted else {}), "code": code_digest("fernn.data.standins.make")}


def draw_standins(params: Params, layout: Layout) -> Path:
    """Draw the videos that stand in for KTH at this scale; returns the file of their digests.

    Raises:
        FernnError: if the scale uses the originals.
    """
    from fernn.data.standins.make import RELEASE, make_standins

    wanted = params.kth.source.stand_ins
    if wanted is None:
        raise FernnError(
            f"scale {params.scale} uses the KTH originals (kth.source.stand_ins is null): nothing to draw."
        )
    make_standins(layout.standins(), wanted.persons, wanted.scenarios, wanted.frames, wanted.seed)
    return layout.standins() / RELEASE


def fetch_videos(params: Params, layout: Layout, from_folder: Path | None, accept: Sequence[str]) -> Path:
    """Bring the KTH archives; returns their record, which stands for a whole and checked set.

    At a scale with stand-ins these come by the same code, from a server on this machine that is there for that long.
    """
    from fernn.data.kth.fetching import RECORD, fetch_kth, parse_accept
    from fernn.data.kth.release import OFFICIAL, read_release
    from fernn.data.progress import ShowProgress
    from fernn.data.standins.make import RELEASE
    from fernn.data.standins.server import serve

    source = params.kth.source
    accepted = parse_accept([*(f"{file}={digest}" for file, digest in source.accept.items()), *accept])
    with ShowProgress() as progress:
        if source.stand_ins is None or from_folder is not None:
            fetch_kth(source.folder, source.bases, from_folder, accepted, OFFICIAL, progress)
        else:
            release = read_release(_present({"release": layout.standins() / RELEASE})["release"])
            if Path(source.folder).resolve().is_relative_to(layout.base.resolve()):
                _discard_others(Path(source.folder), release)
            with serve(layout.standins()) as base:
                fetch_kth(source.folder, [base], None, accepted, release, progress)
    return Path(source.folder) / RECORD


def _discard_others(folder: Path, release: "Release") -> None:
    """Remove the files of an earlier drawing: unlike originals, stand-ins may be drawn anew under the same names."""
    from fernn.data.digests import WrongFileError, verify

    for file, digests in release.digests.items():
        try:
            if (folder / file).exists():
                verify(folder / file, digests)
        except WrongFileError:
            (folder / file).unlink()


def make_dataset(params: Params, layout: Layout, name: str) -> Path:
    """Make a part of a data set, such as "translation/test-V2T"; returns its file."""
    experiment, _, part = name.partition("/")
    plan = plan_of(experiment)
    output = layout.dataset(experiment, part)
    inputs = dataset_inputs(params, experiment, part)
    files = _present(plan.dataset_files(params, layout, part))
    maker = Maker(layout.dataset_record(experiment, part), "dataset", name, params.scale, inputs, files.values())
    if not maker.is_done():
        plan.make(plan.dataset_inputs(params, part), files, output)
        maker.done([output])
    return output


def train_run(params: Params, layout: Layout, name: str, allow_cpu: bool) -> Path:
    """Train a run and write model.safetensors, metrics.csv and record.json; returns the model's file.

    Safe to start twice: the second waits for the first, and finds the work done. The checkpoint stays until the run is
    evaluated: Snakemake removes the outputs of a job that it starts, as it does when it was killed and its successor
    does not know that a job of its predecessor went on.
    """
    from fernn.models.storage import save_model
    from fernn.training.device import choose_device, prepare
    from fernn.training.gpus import one_gpu, visible_gpus
    from fernn.training.lock import hold
    from fernn.training.pace import measured
    from fernn.training.progress import TrainingProgress

    run = find_run(params, name)
    plan = plan_of(run.experiment)
    if not visible_gpus():
        choose_device(params.scale, allow_cpu)  # refuses at once, before anything is read
    files = _present(plan.train_files(params, layout, run))
    inputs, unfinished = plan.train_inputs(params, run), layout.unfinished(run.id)
    model_file, metrics, record = (layout.run(run.id, file) for file in ("model.safetensors", "metrics.csv", NAME))
    with TrainingProgress(run.id) as progress, hold(layout.lock(run.id), progress.tell) as lock:
        maker = Maker(record, "train", run.id, params.scale, train_inputs(params, run), files.values())
        if maker.is_done():
            return model_file
        with one_gpu(progress.tell):
            device = choose_device(params.scale, allow_cpu)
            prepare(device, inputs.threads)
            with measured(progress, unfinished / "pace.json", maker.identity) as pace:
                checkpoint = unfinished / "checkpoint.safetensors"
                model, fit = plan.train(inputs, maker.identity, files, checkpoint, device, progress)
            lock.check()
            save_model(model, model_file, fit.weights)
            write_text(metrics, _csv(fit.history))
            details = {"best_epoch": fit.best_epoch, "steps": pace["steps"], "seconds": pace["seconds"]}
            maker.done([model_file, metrics], device.type, **details)
    return model_file


def evaluate_run(params: Params, layout: Layout, name: str) -> Path:
    """Evaluate a trained run and write evaluation.json, samples.safetensors and record.json; returns the first.

    The checkpoint of its training goes then. Like a training it is safe to start twice.
    """
    from fernn.datasets.storage import write_arrays
    from fernn.models.storage import load_model
    from fernn.training.device import choose_device, prepare
    from fernn.training.gpus import one_gpu
    from fernn.training.lock import hold

    run = find_run(params, name)
    plan = plan_of(run.experiment)
    files = _present(plan.evaluate_files(params, layout, run))
    weights = _present({"model": layout.run(run.id, "model.safetensors")})["model"]
    inputs = plan.evaluate_inputs(params, run)
    names = "evaluation.json", "samples.safetensors", NAME
    output, samples_file, record = (layout.evaluation(run.id, file) for file in names)

    def say(line: str) -> None:
        print(f"{run.id}: {line}", file=sys.stderr)

    with hold(layout.lock(run.id), say) as lock:
        read = [*files.values(), weights]
        maker = Maker(record, "evaluate", run.id, params.scale, evaluate_inputs(params, run), read)
        if not maker.is_done():
            with one_gpu(say):
                device = choose_device(params.scale, allow_cpu=True)  # slow on a CPU, but never days
                prepare(device, inputs.threads)
                measures, samples = plan.evaluate(inputs, load_model(weights, device), files, device)
            lock.check()
            about = {"run": run.id, "inputs": maker.inputs, "files": maker.files}
            write_arrays(samples_file, samples, about)
            write_json(output, {**about, "measures": measures})
            maker.done([output, samples_file], device.type)
        shutil.rmtree(layout.unfinished(run.id), ignore_errors=True)
    return output


def _present(files: dict[str, Path]) -> dict[str, Path]:
    for path in files.values():
        if not path.exists():
            raise FernnError(
                f"{path} is missing: it is made by an earlier stage. `snakemake {path}` makes it with all it needs."
            )
    return files


def _csv(rows: list[dict[str, float]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
