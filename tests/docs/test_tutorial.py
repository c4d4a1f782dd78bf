"""The tutorial, and every command that asks Snakemake, in a clone with the results of the quick scale."""

import re
import shutil
import subprocess
from collections import Counter

import matplotlib
import pytest
import yaml

from tests.workflow.conftest import Clone

from .blocks import ROOT, blocks, lines_of
from .commands import ELSEWHERE, NOT_RUN
from .test_pages import COMMANDS, merged, run

pytestmark = pytest.mark.slow
PAGE = ROOT / "docs/tutorial.md"
SHELL = [line for block in blocks(PAGE) if block.language == "shell" for line in lines_of(block)]


@pytest.fixture(scope="module")
def pulled(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The files of this checkout that git knows, as they are now, and the files that `dvc pull` downloads."""
    folder = tmp_path_factory.mktemp("clone")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in listed.rstrip("\0").split("\0"):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    clone = Clone(folder)
    clone.git("init", "--quiet")
    clone.must("dvc", "pull")
    return clone


def test_its_commands(pulled: Clone) -> None:
    """All but the set-up and the full run; they are those of `make setup` and `make demo`."""
    left_out = {"make setup", "snakemake --cores all --config scale=quick", *NOT_RUN}
    ran = [line for line in SHELL if line not in left_out]
    assert {line.split()[0] for line in ran} == {"dvc", "fernn", "snakemake"}
    for line in ran:
        ended = pulled.run("bash", "-c", line)
        # whether the artifacts are of today's code is a question for `make verify`
        verified = line.startswith("fernn verify") and re.search(r"^\d+ results: .*\.$", ended.stdout, re.MULTILINE)
        assert ended.returncode == 0 or verified, line + ended.stdout + ended.stderr


def test_its_figure(pulled: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    """It prints what the page says, and draws."""
    monkeypatch.chdir(pulled.folder)
    matplotlib.use("agg")
    (shown,) = [block.text for block in blocks(PAGE) if block.language == "text"]
    assert run(PAGE, {}) == shown
    figure, page = matplotlib.image.imread("winners.png"), matplotlib.image.imread(ROOT / "docs/images/winners.png")
    assert figure.shape[:2] == page.shape[:2]
    assert abs(figure[..., :3] - page[..., :3]).mean() < 0.002  # the page shows the figure of these results


def test_its_change(pulled: Clone) -> None:
    """A fourth seed: four trainings and evaluations more, and what follows."""
    (edit,) = [yaml.safe_load(block.text) for block in blocks(PAGE) if block.language == "yaml"]
    path = pulled.folder / "params.yaml"
    params, before = path.read_text(), planned(pulled)
    path.write_text(yaml.safe_dump(merged(yaml.safe_load(params), edit), sort_keys=False))
    after = planned(pulled)
    path.write_text(params)
    last = {"tables", "figures", "report"}  # planned before as well, if the artifacts are not of today's code
    assert {rule: count for rule, count in (after - before).items() if rule not in last} == {"train": 4, "evaluate": 4}
    assert all(after[rule] == 1 for rule in last)


def planned(clone: Clone) -> Counter[str]:
    """How many jobs of each rule the page's dry run names."""
    (line,) = [line for line in SHELL if "--dry-run" in line]
    said = clone.must("bash", "-c", line)
    counts = re.search(r"^Would run \d+ jobs?: (.+?)\. This", said, re.MULTILINE)
    return Counter({rule: int(count) for count, rule in re.findall(r"(\d+) (\w+)", counts[1])}) if counts else Counter()


# without what this machine may lack, and in a dry run
RUN_HERE = [line for _, line in COMMANDS if line.startswith("snakemake ") and line not in NOT_RUN]
PLANNED = {ELSEWHERE.sub("", line).removesuffix(" --dry-run") for line in RUN_HERE}


@pytest.mark.parametrize("line", sorted(PLANNED))
def test_each_snakemake_plans(pulled: Clone, line: str) -> None:
    said = pulled.must("bash", "-c", f"{line} --dry-run")
    assert "This was a dry run" in said or "Nothing to be done" in said
