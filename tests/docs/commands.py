"""Check the commands on the pages with the parsers of the programs that they call and with params.yaml."""

import os
import re
import shlex
import subprocess
from collections.abc import Callable
from functools import cache
from typing import Any

import typer
import yaml
from typer.core import TyperGroup
from typer.exceptions import TyperException

from fernn.cli import app
from fernn.experiments import load_params
from fernn.params import Params
from fernn.runs import all_runs

from .blocks import ROOT

# What no test of the pages can run or parse, and why. Each line stands in a page as it stands here.
NOT_RUN = {
    "git clone https://github.com/OWNER/REPOSITORY.git fernn && cd fernn": "tests/workflow has clones",
    "sbatch slurm/head.sh --config scale=paper": "tests/workflow/test_cluster.py runs the script",
    "source .venv/bin/activate": "for a person's shell; tests have its PATH",
    "tmux": "a terminal that stays when its person leaves",
    "cp -r docs/extend/scaling fernn/experiments/": "tests/workflow/test_extend.py does this in a copy",
    "cat docs/extend/scaling/scale.yaml docs/extend/scaling/params.yaml >> params.yaml": "test_extend.py does this",
    "python -m fernn.experiments.collision.errors": "tests/experiments/test_collision.py runs its main",
    "python -m fernn.experiments.collision.errors evidence/collision": "the same with our runs",
    "snakemake --cores all --config scale=scaling-quick": "the scale of that copy",
    "digest=$(podman image inspect --format '{{.Digest}}' fernn)": "needs the image; tests/image does this",
    'podman run --rm --init --read-only --user "$(id -u):$(id -g)" --userns keep-id --env FERNN_IMAGE="$digest" '
    '--volume "$PWD:/project" fernn snakemake --cores all --config scale=quick': "needs the image; tests/image does it",
}

# what a dry run here goes without: tests/slurm and tests/image have it
ELSEWHERE = re.compile(r" --(profile slurm|sdm apptainer)\b")


def check(line: str, whole: bool = True) -> None:
    """Check one command with its program; an AssertionError states what is wrong.

    Args:
        line: the command, perhaps with variables before it.
        whole: whether it can be run as it stands; a mere mention, such as `fernn train`, may leave arguments out.
    """
    bare = re.sub(r"^(\w+=\S+\s+)+", "", line)
    program, *arguments = shlex.split(bare)
    assert program in PROGRAMS, f"no test knows `{program}`: add a check, or the line and a reason to NOT_RUN"
    PROGRAMS[program](line, arguments, whole)


def is_known(text: str) -> bool:
    """Whether a piece of code within a line is a command of one of our programs, with something after it."""
    words = re.sub(r"^(\w+=\S+\s+)+", "", text).split()
    return len(words) > 1 and words[0] in PROGRAMS


def _fernn(line: str, arguments: list[str], whole: bool) -> None:
    command: Any = typer.main.get_command(app)
    while isinstance(command, TyperGroup) and arguments:
        name = arguments.pop(0)
        assert name in command.commands, f"{line}: there is no {name!r}, only {', '.join(command.commands)}"
        command = command.commands[name]
    try:
        given = command.make_context("fernn", arguments, resilient_parsing=not whole).params
    except TyperException as error:
        raise AssertionError(f"{line}: {error}") from None
    if given.get("scale") or given.get("run"):
        runs = all_runs(_params(given.get("scale")))
        assert not whole or given.get("run") in (None, *runs), f"{line}: no such run"


def _snakemake(line: str, arguments: list[str], whole: bool) -> None:
    from snakemake.cli import get_argument_parser

    try:
        given = get_argument_parser().parse_args(arguments)
    except SystemExit:
        raise AssertionError(f"{line}: Snakemake does not take these arguments") from None
    for each in (*(given.profile or ()), *re.findall(r"SNAKEMAKE_PROFILE=(\w+)", line)):
        assert (ROOT / each / "config.yaml").exists(), f"{line}: no profile {each}"
    scale = dict(item.split("=") for item in given.config or ()).get("scale")
    _params(scale)


def _dvc(line: str, arguments: list[str], whole: bool) -> None:
    from dvc.cli import parse_args
    from dvc.cli.parser import DvcParserError

    try:
        given = parse_args(arguments if whole else [*arguments, "--help"])
    except SystemExit:  # it showed its help: there is such a command with such options
        return
    except DvcParserError:
        raise AssertionError(f"{line}: DVC does not take these arguments") from None
    if arguments[0] in ("repro", "exp"):
        stages = _yaml("dvc.yaml")["stages"]
        for stage, _, scale in (target.partition("@") for target in given.targets or ()):
            assert stage in stages, f"{line}: no stage {stage}"
            _params(scale)
    for setting in getattr(given, "set_param", None) or ():
        value = _yaml("params.yaml")
        for key in setting.split("=")[0].split("."):
            assert key in value, f"{line}: params.yaml has no {key!r} there"
            value = value[key]


def _make(line: str, arguments: list[str], whole: bool) -> None:
    variables = dict(word.split("=", 1) for word in re.findall(r"^(?:\w+=\S+\s+)+", line)[:1] for word in word.split())
    command = ["make", "--dry-run", *arguments]
    ended = subprocess.run(command, cwd=ROOT, env=os.environ | variables, capture_output=True, text=True)
    assert ended.returncode == 0, f"{line}: {ended.stderr}"


@cache
def _params(scale: str | None) -> Params:
    return load_params(ROOT / "params.yaml", scale)


@cache
def _yaml(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


PROGRAMS: dict[str, Callable[[str, list[str], bool], None]] = {
    "fernn": _fernn,
    "snakemake": _snakemake,
    "dvc": _dvc,
    "make": _make,
}
