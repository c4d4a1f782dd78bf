"""What each stage of a scale depends on, written to files: what DVC watches is then just what Snakemake compares.

Both see the parameters of every job and the digest of the code that it runs, computed by the same functions. A change
that no result depends on changes none of these files.
"""

from pathlib import Path
from typing import Any

from fernn.files import write_json
from fernn.params import Params
from fernn.provenance.records import NAME
from fernn.results.plan import figure_names, table_names
from fernn.runs import Layout, all_runs
from fernn.stages import dataset_inputs, evaluate_inputs, plan_of, results_inputs, standins_inputs, train_inputs

RUN_FILES = ("model.safetensors", "metrics.csv", NAME)
EVALUATION_FILES = ("evaluation.json", "samples.safetensors", NAME)
ZIP = "provenance.zip"  # what Snakemake knows of the files of a folder, beside them


def dataset_parts(params: Params, layout: Layout) -> dict[Path, str]:
    """The parts of data sets that the runs read: their names, such as "translation/test-V2T", by their files."""
    files = [
        path
        for run in all_runs(params).values()
        for of in (plan_of(run.experiment).train_files, plan_of(run.experiment).evaluate_files)
        for path in of(params, layout, run).values()
    ]
    return {path: f"{path.parent.name}/{path.stem}" for path in files}


def source_files(params: Params, layout: Layout) -> list[Path]:
    """The files that data sets are made from: fetched, or part of the repository."""
    parts = dataset_parts(params, layout)
    plans = [(plan_of(part.partition("/")[0]), part.partition("/")[2]) for part in parts.values()]
    files = [path for plan, part in plans for path in plan.dataset_files(params, layout, part).values()]
    return [path for path in dict.fromkeys(files) if path not in parts]


def dependencies(params: Params, layout: Layout) -> dict[str, Any]:
    """What each stage depends on besides the results of earlier stages, as plain values, by the name of the stage."""
    runs = all_runs(params).values()
    sources = source_files(params, layout)
    parts = [name.split("/") for name in dataset_parts(params, layout).values()]
    return {
        "data": {"files": [path.as_posix() for path in sources], "stand_ins": standins_inputs(params)},
        "datasets": {f"{name}/{part}": dataset_inputs(params, name, part) for name, part in parts},
        "train": {run.id: train_inputs(params, run) for run in runs},
        "evaluate": {run.id: evaluate_inputs(params, run) for run in runs},
        "tables": results_inputs(params, "tables"),
        "figures": results_inputs(params, "figures"),
    }


def write_dependencies(params: Params, layout: Layout) -> list[Path]:
    """Write them, one file for each stage; returns the files."""
    found = dependencies(params, layout)
    for stage, values in found.items():
        write_json(layout.dependencies(stage), values)
    return [layout.dependencies(stage) for stage in found]


def left_behind(params: Params, layout: Layout) -> list[Path]:
    """Results of runs, data sets, tables and figures that the params no longer name: a run of a dropped seed, say."""
    parts = dataset_parts(params, layout)
    wanted = {
        "datasets": {*parts, *(layout.dataset_record(*name.split("/")) for name in parts.values())},
        "runs": {layout.run(run, file) for run in all_runs(params) for file in RUN_FILES},
        "evaluations": {layout.evaluation(run, file) for run in all_runs(params) for file in EVALUATION_FILES},
        "tables": {layout.table(name) for name in (*table_names(params), NAME)},
        "figures": {layout.figure(name) for name in (*figure_names(params), NAME)},
    }
    found = ((folder, path) for folder in wanted for path in sorted((layout.base / folder).rglob("*")))
    return [path for folder, path in found if path.is_file() and path not in wanted[folder] and path.name != ZIP]


def prune(params: Params, layout: Layout) -> list[Path]:
    """Remove what `left_behind` finds, and the folders that it leaves empty; returns the files."""
    gone = left_behind(params, layout)
    for path in gone:
        path.unlink()
        for folder in path.parents:
            if folder == layout.base or any(folder.iterdir()):
                break
            folder.rmdir()
    return gone
